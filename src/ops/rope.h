// Rotary position embedding, half-split (channel i is rotated with channel i + C/2).
// Su et al. 2021, arXiv:2104.09864; llama3 frequency scaling as in the Llama 3.1 release.
#pragma once

#include <span>

#include "ops/op_context.h"

namespace cairn::ops {

// cos and sin of position * frequency for positions 0 .. P-1, in float32 throughout.
//   cos_PK, sin_PK   (P, C/2) float32   =
//   inverse_frequency_K   C/2 values (nn/rope_frequencies computes them from the model configuration)
void rope_table(const OpContext& ctx, TensorView cos_PK, TensorView sin_PK,
                std::span<const float> inverse_frequency_K);

//   y_NHC        (N, H, C) float32   = ; may alias x
//   x_NHC        (N, H, C) float32
//   positions_N  (N) int32           each in [0, P)
void rope_forward(const OpContext& ctx, TensorView y_NHC, ConstTensorView x_NHC, ConstTensorView positions_N,
                  ConstTensorView cos_PK, ConstTensorView sin_PK);

// The inverse rotation: dx = R(-position) dy.   dx_NHC = ; may alias dy.
void rope_backward(const OpContext& ctx, TensorView dx_NHC, ConstTensorView dy_NHC,
                   ConstTensorView positions_N, ConstTensorView cos_PK, ConstTensorView sin_PK);

}  // namespace cairn::ops
