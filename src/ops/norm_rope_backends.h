// The GPU body behind norm_rope.h; the CPU's is the two ops one after the other.
#pragma once

#include "ops/norm_rope.h"

namespace cairn::ops::cuda {

// Whether the kernels take heads of C channels; other heads go through the two ops, too.
bool norm_rope_takes(std::int64_t C, DType dtype);

void norm_rope_forward(const OpContext& ctx, TensorView y_NHC, TensorView rstd, ConstTensorView x_NHC,
                       ConstTensorView weight_C, const RopeTables& rope, float eps);
void norm_rope_backward(const OpContext& ctx, const NormRopeBackward& args);

}  // namespace cairn::ops::cuda
