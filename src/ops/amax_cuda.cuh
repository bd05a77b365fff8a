// The largest magnitude of a tensor ("amax"), gathered by the kernel that makes the tensor. Bits of non-negative floats, infinities
// and NaN among them, order as integers, so that the largest has one value whatever the order of comparing.
#pragma once

#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {

__device__ inline std::uint32_t magnitude_bits(float x) {
  return __float_as_uint(x) & 0x7FFFFFFFU;
}

// Stores like store() and gives the largest magnitude_bits() of what is stored.
template <class T, int Width>
__device__ inline std::uint32_t store_measured(T* to, const float (&from)[Width]) {
  Packed<T, Width> packed;
#pragma unroll
  for (int i = 0; i < Width; ++i) {
    packed.x[i] = from_float<T>(from[i]);
  }
  *reinterpret_cast<Packed<T, Width>*>(to) = packed;
  std::uint32_t largest = 0;
  if constexpr (sizeof(T) == 2 && Width % 2 == 0) {
    const auto* const pairs = reinterpret_cast<const std::uint32_t*>(&packed);
#pragma unroll
    for (int i = 0; i < Width / 2; ++i) {
      largest = __vmaxu2(largest, pairs[i] & 0x7FFF7FFFU);
    }
    return max(largest << 16U, largest & 0x7FFF0000U);
  } else {
#pragma unroll
    for (int i = 0; i < Width; ++i) {
      largest = max(largest, magnitude_bits(to_float(packed.x[i])));
    }
    return largest;
  }
}

// *amax = max(*amax, the warp's values). Called by whole warps.
__device__ inline void raise_amax(std::uint32_t* amax, std::uint32_t largest) {
  largest = __reduce_max_sync(0xffffffffU, largest);
  // Most warps find a larger value there already and need not queue for the address.
  if (threadIdx.x % 32 == 0 && largest > *static_cast<volatile std::uint32_t*>(amax)) {
    atomicMax(amax, largest);
  }
}

// Where kernels raise the maximum, set to zero; null for a null view.
inline std::uint32_t* start_amax(const OpContext& ctx, const TensorView& amax) {
  if (amax.is_null()) {
    return nullptr;
  }
  cudaMemsetAsync(amax.bytes(), 0, sizeof(float), stream_of(ctx));
  ctx.device->check_launch("amax");
  return pointer<std::uint32_t>(amax);
}

}  // namespace cairn::ops::cuda
