// Compiled without contraction (CMakeLists.txt): products and sums of base/random.h are rounded one by one, as on the CPU.
#include <algorithm>

#include "ops/fill_backends.h"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void fill_constant_kernel(float* y, std::int64_t count, float value) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) {
    y[i] = value;
  }
}

// One thread per pair of normal numbers; of the first and the last pair one number may lie outside.
__global__ void fill_normal_kernel(float* y, std::int64_t count, NormalNumbers numbers) {
  const std::uint64_t pair =
      numbers.first_index / 2 + static_cast<std::uint64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const auto first = static_cast<std::int64_t>(2 * pair - numbers.first_index);  // -1: it lies before y
  if (first >= count) {
    return;
  }
  const PolarNormal polar = polar_normal(random_block(numbers.key, numbers.stream, pair));
  const double radius = __dsqrt_rn(polar.squared_radius);
  const auto scaled = [&](double coordinate) {
    return static_cast<float>(numbers.mean + numbers.deviation * (radius * coordinate));
  };
  if (first >= 0) {
    y[first] = scaled(polar.direction.cosine);
  }
  if (first + 1 < count) {
    y[first + 1] = scaled(polar.direction.sine);
  }
}

}  // namespace

void fill_constant(const OpContext& ctx, TensorView y, float value) {
  const std::int64_t count = y.num_elements();
  if (count == 0) {
    return;
  }
  fill_constant_kernel<<<grid_of(count, kThreads), kThreads, 0, stream_of(ctx)>>>(pointer<float>(y), count,
                                                                                  value);
  ctx.device->check_launch("fill_constant");
}

void fill_normal(const OpContext& ctx, TensorView y, const NormalNumbers& numbers) {
  const std::int64_t count = y.num_elements();
  if (count == 0) {
    return;
  }
  const std::int64_t num_pairs = count / 2 + 1;  // one more than needed at most
  fill_normal_kernel<<<grid_of(num_pairs, kThreads), kThreads, 0, stream_of(ctx)>>>(pointer<float>(y), count,
                                                                                    numbers);
  ctx.device->check_launch("fill_normal");
}

}  // namespace cairn::ops::cuda
