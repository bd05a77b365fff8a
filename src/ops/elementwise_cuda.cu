#include "ops/elementwise_backends.h"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;

template <class T, int Width>
__global__ void add_kernel(T* y, const T* a, const T* b, std::int64_t count) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * Width;
  if (i >= count) {
    return;
  }
  float left[Width];
  float right[Width];
  load(a + i, left);
  load(b + i, right);
#pragma unroll
  for (int k = 0; k < Width; ++k) {
    left[k] += right[k];
  }
  store(y + i, left);
}

template <class T>
__global__ void cast_kernel(T* y, const float* x, std::int64_t count) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * 4;
  for (std::int64_t k = i; k < min(i + 4, count); ++k) {
    y[k] = from_float<T>(x[k]);
  }
}

}  // namespace

void add(const OpContext& ctx, TensorView y, ConstTensorView a, ConstTensorView b) {
  const std::int64_t count = y.num_elements();
  if (count == 0) {
    return;
  }
  for_dtype(y.dtype(), [&](auto element) {
    using T = decltype(element);
    for_width<T>(count, [&](auto width) {
      add_kernel<T, width><<<grid_of(count, kThreads * width), kThreads, 0, stream_of(ctx)>>>(
          pointer<T>(y), pointer<T>(a), pointer<T>(b), count);
    });
  });
  ctx.device->check_launch("add");
}

void fill_zero(const OpContext& ctx, TensorView y) {
  if (y.num_bytes() > 0) {
    cudaMemsetAsync(y.bytes(), 0, static_cast<std::size_t>(y.num_bytes()), stream_of(ctx));
    ctx.device->check_launch("fill_zero");
  }
}

void copy(const OpContext& ctx, TensorView y, ConstTensorView x) {
  if (y.num_bytes() > 0) {
    // Either side may be pinned host memory.
    cudaMemcpyAsync(y.bytes(), x.bytes(), static_cast<std::size_t>(y.num_bytes()), cudaMemcpyDefault,
                    stream_of(ctx));
    ctx.device->check_launch("copy");
  }
}

void cast(const OpContext& ctx, TensorView y, ConstTensorView x) {
  const std::int64_t count = y.num_elements();
  if (count == 0) {
    return;
  }
  for_dtype(y.dtype(), [&](auto element) {
    using T = decltype(element);
    cast_kernel<T><<<grid_of(count, kThreads * 4), kThreads, 0, stream_of(ctx)>>>(pointer<T>(y),
                                                                                  pointer<float>(x), count);
  });
  ctx.device->check_launch("cast");
}

}  // namespace cairn::ops::cuda
