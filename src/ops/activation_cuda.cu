#include <algorithm>

#include "ops/activation_backends.h"
#include "ops/activation_cuda.cuh"
#include "ops/amax_cuda.cuh"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kFinishThreads = 1024;
constexpr int kBackwardVectors = 2;        // of one thread in xIELU's backward, read before the first is used
constexpr unsigned kForwardBlocks = 1056;  // at most; each reads the scalars once
constexpr unsigned kBackwardBlocks = 792;  // at most, whatever the GPU, so that sums have one order

template <class T, int Width>
__global__ void __launch_bounds__(kThreads)
    xielu_forward_kernel(T* y, const T* x, const float* a_p, const float* a_n, XieluConstants constants,
                         std::int64_t count) {
  constexpr std::int64_t kTile = std::int64_t{kThreads} * Width;
  const XieluScalars s = read_scalars(a_p, a_n, constants);
#pragma unroll 2
  for (std::int64_t i = blockIdx.x * kTile + threadIdx.x * Width; i < count; i += gridDim.x * kTile) {
    float v[Width];
    load(x + i, v);
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      v[k] = xielu<T>(s, v[k]);
    }
    store(y + i, v);
  }
}

// Block b takes tiles b, b + blocks, ...: dx of each, and its sums partial[b] of alpha_p's and partial[blocks + b] of alpha_n's
// gradient, without the softplus' derivative.
template <class T, int Width, bool Measures>
__global__ void __launch_bounds__(kThreads)
    xielu_backward_kernel(T* dx, float* partial, std::uint32_t* amax, const T* dy, const T* x,
                          const float* a_p, const float* a_n, XieluConstants constants, std::int64_t count) {
  constexpr std::int64_t kTile = std::int64_t{kBackwardVectors} * kThreads * Width;
  __shared__ float shared[32];
  const XieluScalars s = read_scalars(a_p, a_n, constants);
  float sum_p = 0.0F;
  float sum_n = 0.0F;
  std::uint32_t largest = 0;
  for (std::int64_t tile = blockIdx.x * kTile; tile < count; tile += gridDim.x * kTile) {
    const std::int64_t begin = tile + threadIdx.x * Width;
    float v[kBackwardVectors][Width] = {};
    float d[kBackwardVectors][Width] = {};
#pragma unroll
    for (int j = 0; j < kBackwardVectors; ++j) {
      const std::int64_t i = begin + j * kThreads * Width;
      if (i < count) {
        load(x + i, v[j]);
        load(dy + i, d[j]);
      }
    }
#pragma unroll
    for (int j = 0; j < kBackwardVectors; ++j) {
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        const float at = v[j][k];
        const float exp_minus_one = expm1_of_negative<T>(fminf(at, s.eps));
        if (at > 0.0F) {
          sum_p += d[j][k] * (at * at);
          d[j][k] *= fmaf(2.0F * s.alpha_p, at, s.beta);
        } else {
          sum_n += d[j][k] * (exp_minus_one - at);
          // Between eps and 0 the argument of expm1 does not move.
          d[j][k] *= fmaf(s.alpha_n, at < s.eps ? exp_minus_one : -1.0F, s.beta);
        }
      }
      const std::int64_t i = begin + j * kThreads * Width;
      if (i < count) {
        if constexpr (Measures) {
          largest = max(largest, store_measured(dx + i, d[j]));
        } else {
          store(dx + i, d[j]);
        }
      }
    }
  }
  if constexpr (Measures) {
    raise_amax(amax, largest);
  }
  sum_p = block_sum(sum_p, shared);
  sum_n = block_sum(sum_n, shared);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sum_p;
    partial[gridDim.x + blockIdx.x] = sum_n;
  }
}

// One block per scalar adds the partial sums in double: a thread every 1024th in order, then pairwise.
__global__ void xielu_weight_finish_kernel(float* da_p, float* da_n, const float* partial, const float* a_p,
                                           const float* a_n, int count) {
  __shared__ double shared[kFinishThreads];
  const bool is_p = blockIdx.x == 0;
  const int thread = static_cast<int>(threadIdx.x);
  const float* const mine = partial + (is_p ? 0 : count);
  double sum = 0.0;
  for (int i = thread; i < count; i += kFinishThreads) {
    sum += static_cast<double>(mine[i]);
  }
  shared[thread] = sum;
  for (int half = kFinishThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) {
      shared[thread] += shared[thread + half];
    }
  }
  if (thread == 0) {
    const double a = static_cast<double>(is_p ? *a_p : *a_n);
    *(is_p ? da_p : da_n) += static_cast<float>(shared[0] / (1.0 + exp(-a)));
  }
}

template <class T, int Width>
__global__ void swiglu_forward_kernel(T* y, const T* gate, const T* up, std::int64_t count) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * Width;
  if (i >= count) {
    return;
  }
  float g[Width];
  float u[Width];
  load(gate + i, g);
  load(up + i, u);
#pragma unroll
  for (int k = 0; k < Width; ++k) {
    u[k] = swiglu(g[k], u[k]);
  }
  store(y + i, u);
}

template <class T, int Width>
__global__ void swiglu_backward_kernel(T* dgate, T* dup, const T* dy, const T* gate, const T* up,
                                       std::int64_t count) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * Width;
  if (i >= count) {
    return;
  }
  float g[Width];
  float u[Width];
  float d[Width];
  load(gate + i, g);
  load(up + i, u);
  load(dy + i, d);
#pragma unroll
  for (int k = 0; k < Width; ++k) {
    const float sigmoid = 1.0F / (1.0F + expf(-g[k]));
    const float dg = d[k] * u[k] * sigmoid * (1.0F + g[k] * (1.0F - sigmoid));
    u[k] = d[k] * g[k] * sigmoid;
    g[k] = dg;
  }
  store(dgate + i, g);
  store(dup + i, u);
}

// Calls body(T, Width, grid) for tensors of `count` elements.
template <class Body>
void for_elements(const ConstTensorView& x, Body&& body) {
  const std::int64_t count = x.num_elements();
  if (count == 0) {
    return;
  }
  for_dtype(x.dtype(), [&](auto element) {
    using T = decltype(element);
    for_width<T>(count, [&](auto width) { body(element, width, grid_of(count, kThreads * width), count); });
  });
}

}  // namespace

void xielu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView x_NF, ConstTensorView a_p,
                   ConstTensorView a_n, XieluConstants constants) {
  for_elements(x_NF, [&](auto element, auto width, unsigned grid, std::int64_t count) {
    using T = decltype(element);
    xielu_forward_kernel<T, width><<<std::min(grid, kForwardBlocks), kThreads, 0, stream_of(ctx)>>>(
        pointer<T>(y_NF), pointer<T>(x_NF), pointer<float>(a_p), pointer<float>(a_n), constants, count);
  });
  ctx.device->check_launch("xielu_forward");
}

void xielu_backward(const OpContext& ctx, const XieluBackward& args) {
  float* const partial = pointer<float>(ctx.workspace);
  std::uint32_t* const amax = start_amax(ctx, args.amax);
  for_elements(args.x_NF, [&](auto element, auto width, unsigned /*grid*/, std::int64_t count) {
    using T = decltype(element);
    const unsigned blocks =
        std::min(grid_of(count, std::int64_t{kBackwardVectors} * kThreads * width), kBackwardBlocks);
    const auto kernel =
        amax == nullptr ? &xielu_backward_kernel<T, width, false> : &xielu_backward_kernel<T, width, true>;
    kernel<<<blocks, kThreads, 0, stream_of(ctx)>>>(
        pointer<T>(args.dx_NF), partial, amax, pointer<T>(args.dy_NF), pointer<T>(args.x_NF),
        pointer<float>(args.a_p), pointer<float>(args.a_n), args.constants, count);
    xielu_weight_finish_kernel<<<2, kFinishThreads, 0, stream_of(ctx)>>>(
        pointer<float>(args.da_p), pointer<float>(args.da_n), partial, pointer<float>(args.a_p),
        pointer<float>(args.a_n), static_cast<int>(blocks));
  });
  ctx.device->check_launch("xielu_backward");
}

void swiglu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView gate_NF, ConstTensorView up_NF) {
  for_elements(y_NF, [&](auto element, auto width, unsigned grid, std::int64_t count) {
    using T = decltype(element);
    swiglu_forward_kernel<T, width><<<grid, kThreads, 0, stream_of(ctx)>>>(
        pointer<T>(y_NF), pointer<T>(gate_NF), pointer<T>(up_NF), count);
  });
  ctx.device->check_launch("swiglu_forward");
}

void swiglu_backward(const OpContext& ctx, TensorView dgate_NF, TensorView dup_NF, ConstTensorView dy_NF,
                     ConstTensorView gate_NF, ConstTensorView up_NF) {
  for_elements(dy_NF, [&](auto element, auto width, unsigned grid, std::int64_t count) {
    using T = decltype(element);
    swiglu_backward_kernel<T, width>
        <<<grid, kThreads, 0, stream_of(ctx)>>>(pointer<T>(dgate_NF), pointer<T>(dup_NF), pointer<T>(dy_NF),
                                                pointer<T>(gate_NF), pointer<T>(up_NF), count);
  });
  ctx.device->check_launch("swiglu_backward");
}

}  // namespace cairn::ops::cuda
