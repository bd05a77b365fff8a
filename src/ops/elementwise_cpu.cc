#include <cstring>

#include "ops/elementwise_backends.h"
#include "ops/vector_loop.h"

namespace cairn::ops::cpu {
namespace {

// Waking the workers costs some microseconds: about what one core needs for this many elements.
constexpr std::int64_t kGrain = 32768;
constexpr std::int64_t kGrainBytes = 4 * kGrain;

}  // namespace

void add(const OpContext& ctx, TensorView y, ConstTensorView a, ConstTensorView b) {
  float* const out = y.data<float>();
  const float* const left = a.data<float>();
  const float* const right = b.data<float>();
  ctx.pool.parallel_for(y.num_elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    CAIRN_INDEPENDENT_ITERATIONS
    for (std::int64_t i = begin; i < end; ++i) {
      out[i] = left[i] + right[i];
    }
  });
}

void fill_zero(const OpContext& ctx, TensorView y) {
  ctx.pool.parallel_for(y.num_bytes(), kGrainBytes, [&](std::int64_t begin, std::int64_t end) {
    std::memset(y.bytes() + begin, 0, static_cast<std::size_t>(end - begin));
  });
}

void copy(const OpContext& ctx, TensorView y, ConstTensorView x) {
  if (y.bytes() == x.bytes()) {
    return;
  }
  ctx.pool.parallel_for(y.num_bytes(), kGrainBytes, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(y.bytes() + begin, x.bytes() + begin, static_cast<std::size_t>(end - begin));
  });
}

}  // namespace cairn::ops::cpu
