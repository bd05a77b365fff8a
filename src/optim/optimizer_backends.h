// The GPU bodies of the optimizers and of the gradient norm, in the device's stream.
#pragma once

#include "device/cuda_device.h"
#include "optim/adamw.h"
#include "optim/ademamix.h"

namespace cairn::optim::cuda {

// One pass over weights, gradients and moments; writes the compute copy beside.
void adamw(CudaDevice& device, const OptimElements& elements, const AdamWScalars& scalars);
void ademamix(CudaDevice& device, const OptimElements& elements, const AdemamixScalars& scalars);

// partials[i] = sum of squares of chunk i of `chunk` elements, in double, in the order of clip.cc: the same bits as
// on the CPU. `partials` is memory that the GPU may write.
void chunk_squares(CudaDevice& device, double* partials, const float* x, std::int64_t count,
                   std::int64_t chunk);

}  // namespace cairn::optim::cuda
