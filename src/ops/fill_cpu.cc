#include <algorithm>
#include <span>

#include "ops/fill_backends.h"

namespace cairn::ops::cpu {
namespace {

// Waking the workers costs some microseconds: about what one core needs for this many stores, or normal numbers.
constexpr std::int64_t kStoreGrain = 32768;
constexpr std::int64_t kNormalGrain = 1 << 14;  // tens of nanoseconds each

std::span<float> part(const TensorView& y, std::int64_t begin, std::int64_t end) {
  return {y.data<float>() + begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

void fill_constant(const OpContext& ctx, TensorView y, float value) {
  ctx.pool.parallel_for(y.num_elements(), kStoreGrain, [&](std::int64_t begin, std::int64_t end) {
    std::ranges::fill(part(y, begin, end), value);
  });
}

void fill_normal(const OpContext& ctx, TensorView y, const NormalNumbers& numbers) {
  ctx.pool.parallel_for(y.num_elements(), kNormalGrain, [&](std::int64_t begin, std::int64_t end) {
    const std::uint64_t first = numbers.first_index + static_cast<std::uint64_t>(begin);
    cairn::fill_normal(part(y, begin, end), numbers.key, numbers.stream, first, numbers.mean,
                       numbers.deviation);
  });
}

}  // namespace cairn::ops::cpu
