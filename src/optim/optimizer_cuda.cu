#include "ops/kernel_cuda.cuh"
#include "optim/optimizer_backends.h"

namespace cairn::optim::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWidth = 4;
constexpr int kLanes = 16;

using ops::cuda::grid_of;

cudaStream_t stream_of(const CudaDevice& device) {
  return static_cast<cudaStream_t>(device.stream());
}

// Rounded as the CPU does it: no product is fused with a sum.
__device__ float weighted(float a, float x, float b, float y) {
  return __fadd_rn(__fmul_rn(a, x), __fmul_rn(b, y));
}

__device__ void update(const AdamWScalars& s, float keep, float& w, float gradient, float& m, float& v) {
  const float g = gradient * s.clip_scale;
  m = weighted(s.beta1, m, s.one_minus_beta1, g);
  v = weighted(s.beta2, v, s.one_minus_beta2, __fmul_rn(g, g));
  const float denominator = __fadd_rn(__fmul_rn(sqrtf(v), s.inverse_v_correction), s.epsilon);
  w = __fsub_rn(__fmul_rn(w, keep), __fmul_rn(s.step_size, m / denominator));
}

__device__ void update(const AdemamixScalars& s, float decay, float& w, float gradient, float& fast,
                       float& slow, float& v) {
  const float g = gradient * s.clip_scale;
  fast = weighted(s.beta1, fast, s.one_minus_beta1, g);
  slow = weighted(s.beta3, slow, s.one_minus_beta3, g);
  v = weighted(s.beta2, v, s.one_minus_beta2, __fmul_rn(g, g));
  const float denominator = __fadd_rn(__fmul_rn(sqrtf(v), s.inverse_v_correction), s.epsilon);
  const float u = weighted(fast, s.inverse_m_correction, s.alpha, slow) / denominator;
  w = __fsub_rn(w, __fmul_rn(s.learning_rate, __fadd_rn(u, __fmul_rn(decay, w))));
}

template <int Width>
__device__ void store_compute(std::byte* compute, std::int64_t i, const float (&w)[Width]) {
  if (compute != nullptr) {
    ops::cuda::store(reinterpret_cast<__nv_bfloat16*>(compute) + i, w);
  }
}

template <int Width>
__global__ void adamw_kernel(OptimElements e, AdamWScalars s) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * Width;
  if (i >= e.count) {
    return;
  }
  float w[Width], g[Width], m[Width], v[Width];
  ops::cuda::load(e.weight + i, w);
  ops::cuda::load(e.gradient + i, g);
  ops::cuda::load(e.moments[0] + i, m);
  ops::cuda::load(e.moments[1] + i, v);
#pragma unroll
  for (int k = 0; k < Width; ++k) {
    update(s, e.is_decayed ? s.keep : 1.0F, w[k], g[k], m[k], v[k]);
  }
  ops::cuda::store(e.weight + i, w);
  ops::cuda::store(e.moments[0] + i, m);
  ops::cuda::store(e.moments[1] + i, v);
  store_compute(e.compute, i, w);
}

template <int Width>
__global__ void ademamix_kernel(OptimElements e, AdemamixScalars s) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * Width;
  if (i >= e.count) {
    return;
  }
  float w[Width], g[Width], fast[Width], slow[Width], v[Width];
  ops::cuda::load(e.weight + i, w);
  ops::cuda::load(e.gradient + i, g);
  ops::cuda::load(e.moments[0] + i, fast);
  ops::cuda::load(e.moments[1] + i, slow);
  ops::cuda::load(e.moments[2] + i, v);
#pragma unroll
  for (int k = 0; k < Width; ++k) {
    update(s, e.is_decayed ? s.weight_decay : 0.0F, w[k], g[k], fast[k], slow[k], v[k]);
  }
  ops::cuda::store(e.weight + i, w);
  ops::cuda::store(e.moments[0] + i, fast);
  ops::cuda::store(e.moments[1] + i, slow);
  ops::cuda::store(e.moments[2] + i, v);
  store_compute(e.compute, i, w);
}

// kLanes threads per chunk: lane l adds elements l, l + kLanes, ... and the lanes are added pairwise.
__global__ void chunk_squares_kernel(double* partials, const float* x, std::int64_t count,
                                     std::int64_t chunk) {
  const std::int64_t index = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) / kLanes;
  const std::int64_t begin = index * chunk;
  const std::int64_t end = min(begin + chunk, count);
  double sum = 0.0;
#pragma unroll 8
  for (std::int64_t i = begin + threadIdx.x % kLanes; i < end; i += kLanes) {
    const double v = static_cast<double>(x[i]);
    sum += v * v;
  }
#pragma unroll
  for (int offset = kLanes / 2; offset > 0; offset /= 2) {
    sum += __shfl_down_sync(0xffffffffU, sum, static_cast<unsigned>(offset), kLanes);
  }
  if (threadIdx.x % kLanes == 0 && begin < count) {
    partials[index] = sum;
  }
}

}  // namespace

void adamw(CudaDevice& device, const OptimElements& elements, const AdamWScalars& scalars) {
  if (elements.count % kWidth == 0) {
    adamw_kernel<kWidth>
        <<<grid_of(elements.count, kThreads * kWidth), kThreads, 0, stream_of(device)>>>(elements, scalars);
  } else {
    adamw_kernel<1><<<grid_of(elements.count, kThreads), kThreads, 0, stream_of(device)>>>(elements, scalars);
  }
  device.check_launch("adamw");
}

void ademamix(CudaDevice& device, const OptimElements& elements, const AdemamixScalars& scalars) {
  if (elements.count % kWidth == 0) {
    ademamix_kernel<kWidth>
        <<<grid_of(elements.count, kThreads * kWidth), kThreads, 0, stream_of(device)>>>(elements, scalars);
  } else {
    ademamix_kernel<1>
        <<<grid_of(elements.count, kThreads), kThreads, 0, stream_of(device)>>>(elements, scalars);
  }
  device.check_launch("ademamix");
}

void chunk_squares(CudaDevice& device, double* partials, const float* x, std::int64_t count,
                   std::int64_t chunk) {
  const std::int64_t num_chunks = (count + chunk - 1) / chunk;
  chunk_squares_kernel<<<grid_of(num_chunks * kLanes, kThreads), kThreads, 0, stream_of(device)>>>(
      partials, x, count, chunk);
  device.check_launch("gradient norm");
}

}  // namespace cairn::optim::cuda
