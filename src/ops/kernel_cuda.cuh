// What the CUDA kernels of this folder share: elements of either activation type read as float32 in 16-byte
// vectors, sums over a block in a fixed order, launches that are checked.
#pragma once

#include <cstdint>
#include <type_traits>

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "base/check.h"
#include "ops/op_context.h"

namespace cairn::ops::cuda {

template <class T>
__device__ inline float to_float(T x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    return __bfloat162float(x);
  }
}
template <class T>
__device__ inline T from_float(float x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    return __float2bfloat16_rn(x);
  }
}

// Width elements in one access. REQUIRES: data aligned to the vector.
template <class T, int Width>
struct alignas(sizeof(T) * Width) Packed {
  T x[Width];
};
template <class T, int Width>
__device__ inline void load(const T* from, float (&to)[Width]) {
  const auto packed = *reinterpret_cast<const Packed<T, Width>*>(from);
#pragma unroll
  for (int i = 0; i < Width; ++i) {
    to[i] = to_float(packed.x[i]);
  }
}
template <class T, int Width>
__device__ inline void store(T* to, const float (&from)[Width]) {
  Packed<T, Width> packed;
#pragma unroll
  for (int i = 0; i < Width; ++i) {
    packed.x[i] = from_float<T>(from[i]);
  }
  *reinterpret_cast<Packed<T, Width>*>(to) = packed;
}

inline constexpr float kLog2E = 1.44269504F;

// 2^x by one instruction, within 2 units of the last place; results below 2^-126 become 0.
__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

template <class T>
inline constexpr int kVector = 16 / static_cast<int>(sizeof(T));

// The same value in all lanes.
__device__ inline float warp_sum(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    x += __shfl_xor_sync(0xffffffffU, x, offset);
  }
  return x;
}
__device__ inline float warp_max(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffU, x, offset));
  }
  return x;
}

// The sum over the block in all threads, in an order that depends on the block's size alone. `shared` holds 32
// floats and is free again after the call.
template <class Combine>
__device__ inline float block_combine(float x, float identity, float* shared, Combine combine) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  x = combine(x);
  __syncthreads();
  if (lane == 0) {
    shared[warp] = x;
  }
  __syncthreads();
  return combine(lane < static_cast<int>(blockDim.x) / 32 ? shared[lane] : identity);
}
__device__ inline float block_sum(float x, float* shared) {
  return block_combine(x, 0.0F, shared, [](float v) { return warp_sum(v); });
}
__device__ inline float block_max(float x, float* shared) {
  return block_combine(x, -INFINITY, shared, [](float v) { return warp_max(v); });
}

inline cudaStream_t stream_of(const OpContext& ctx) {
  CHECK(ctx.device != nullptr, "an op on a GPU's tensors needs the GPU in its context");
  return static_cast<cudaStream_t>(ctx.device->stream());
}

template <class T>
T* pointer(const TensorView& view) {
  return reinterpret_cast<T*>(view.bytes());
}
template <class T>
const T* pointer(const ConstTensorView& view) {
  return reinterpret_cast<const T*>(view.bytes());
}

// Calls body with a value of the element type.
template <class Body>
void for_dtype(DType dtype, Body&& body) {
  if (dtype == DType::kFloat32) {
    body(float{});
  } else {
    CHECK(dtype == DType::kBFloat16, "the GPU computes in float32 or bfloat16");
    body(__nv_bfloat16{});
  }
}

// Calls body with the widest vector that divides `count`: 16 bytes or one element.
template <class T, class Body>
void for_width(std::int64_t count, Body&& body) {
  if (count % kVector<T> == 0) {
    body(std::integral_constant<int, kVector<T>>{});
  } else {
    body(std::integral_constant<int, 1>{});
  }
}

inline unsigned grid_of(std::int64_t count, std::int64_t per_block) {
  return static_cast<unsigned>((count + per_block - 1) / per_block);
}

}  // namespace cairn::ops::cuda
