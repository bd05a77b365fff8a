// The largest magnitude of a tensor ("amax"), gathered by the kernel that makes the tensor. Bits of non-negative floats, infinities
// and NaN among them, order as integers, so that the largest has one value whatever the order of comparing.
#pragma once

#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {

__device__ inline std::uint32_t magnitude_bits(float x) {
  return __float_as_uint(x) & 0x7FFFFFFFU;
}

// x as a reader of the tensor will see it.
template <class T>
__device__ inline float as_stored(float x) {
  return to_float(from_float<T>(x));
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
