#include "ops/kernel_cuda.cuh"
#include "ops/rope_backends.h"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;

// One thread per Width channels of the lower half and their partners.
template <class T, int Width>
__global__ void rotate_kernel(T* y, const T* x, const std::int32_t* positions, const float* cos_PK,
                              const float* sin_PK, std::int64_t count, int H, int K, float direction) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= count) {
    return;
  }
  const int per_head = K / Width;
  const std::int64_t head = index / per_head;  // of all rows
  const int k = static_cast<int>(index - head * per_head) * Width;
  const std::int64_t table = static_cast<std::int64_t>(positions[head / H]) * K + k;
  const std::int64_t at = head * 2 * K + k;
  float low[Width];
  float high[Width];
  load(x + at, low);
  load(x + at + K, high);
#pragma unroll
  for (int i = 0; i < Width; ++i) {
    const float c = cos_PK[table + i];
    const float s = sin_PK[table + i] * direction;
    const float a = low[i];
    const float b = high[i];
    low[i] = a * c - b * s;
    high[i] = b * c + a * s;
  }
  store(y + at, low);
  store(y + at + K, high);
}

}  // namespace

void rope_rotate(const OpContext& ctx, TensorView y_NHC, ConstTensorView x_NHC, ConstTensorView positions_N,
                 ConstTensorView cos_PK, ConstTensorView sin_PK, float direction) {
  const std::int64_t K = x_NHC.dim(2) / 2;
  if (x_NHC.num_elements() == 0) {
    return;
  }
  for_dtype(y_NHC.dtype(), [&](auto element) {
    using T = decltype(element);
    for_width<T>(K, [&](auto width) {
      const std::int64_t count = x_NHC.dim(0) * x_NHC.dim(1) * K / width;
      rotate_kernel<T, width><<<grid_of(count, kThreads), kThreads, 0, stream_of(ctx)>>>(
          pointer<T>(y_NHC), pointer<T>(x_NHC), pointer<std::int32_t>(positions_N), pointer<float>(cos_PK),
          pointer<float>(sin_PK), count, static_cast<int>(x_NHC.dim(1)), static_cast<int>(K), direction);
    });
  });
  ctx.device->check_launch("rope");
}

}  // namespace cairn::ops::cuda
