// The activations of one element, for the kernels that apply them and those that round their results at once.
#pragma once

#include <type_traits>

#include "ops/activation.h"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {

struct XieluScalars {
  float alpha_p, alpha_n, beta, eps;
};

__device__ inline float softplus(float x) {
  return fmaxf(x, 0.0F) + log1pf(expf(-fabsf(x)));
}

__device__ inline XieluScalars read_scalars(const float* a_p, const float* a_n, XieluConstants constants) {
  return {softplus(*a_p), constants.beta + softplus(*a_n), constants.beta, constants.eps};
}

// exp(x) - 1 for x <= 0: a series near 0, where the difference would lose digits. For results that are kept in float32 within 1e-7
// of the value; for bfloat16 within 1e-7 of 1 and 1e-5 of the value, which takes half the instructions: on the GPUs with the
// fastest memory more of them would cost more than the pass over memory.
template <class T>
__device__ inline float expm1_of_negative(float x) {
  if constexpr (std::is_same_v<T, float>) {
    float series = 1.0F / 5040.0F;
    series = fmaf(series, x, 1.0F / 720.0F);
    series = fmaf(series, x, 1.0F / 120.0F);
    series = fmaf(series, x, 1.0F / 24.0F);
    series = fmaf(series, x, 1.0F / 6.0F);
    series = fmaf(series, x, 0.5F);
    series = fmaf(series * x, x, x);
    return x > -0.35F ? series : __expf(x) - 1.0F;
  } else {
    const float series = fmaf(x * x, fmaf(x, 1.0F / 6.0F, 0.5F), x);
    return x > -0x1p-6F ? series : exp2_fast(x * kLog2E) - 1.0F;
  }
}

// T: what the result, or what is made of it, is kept in.
template <class T>
__device__ inline float xielu(const XieluScalars& s, float x) {
  const float negative = s.alpha_n * (expm1_of_negative<T>(fminf(x, s.eps)) - x);
  return (x > 0.0F ? s.alpha_p * x * x : negative) + s.beta * x;
}

__device__ inline float swiglu(float gate, float up) {
  return up * (gate / (1.0F + expf(-gate)));
}

}  // namespace cairn::ops::cuda
