// The unchecked bodies behind rope.h, one namespace per back end.
#pragma once

#include "ops/rope.h"

namespace cairn::ops::cpu {

void rope_table(const OpContext& ctx, TensorView cos_PK, TensorView sin_PK,
                std::span<const float> inverse_frequency_K);

// Rotates by direction * position; direction is +1 or -1.
void rope_rotate(const OpContext& ctx, TensorView y_NHC, ConstTensorView x_NHC, ConstTensorView positions_N,
                 ConstTensorView cos_PK, ConstTensorView sin_PK, float direction);

}  // namespace cairn::ops::cpu

namespace cairn::ops::cuda {

void rope_rotate(const OpContext& ctx, TensorView y_NHC, ConstTensorView x_NHC, ConstTensorView positions_N,
                 ConstTensorView cos_PK, ConstTensorView sin_PK, float direction);

}  // namespace cairn::ops::cuda
