// RMS norm of each head, then its rotation: what queries and keys pass through in models with norms per head (rms_norm.h, rope.h).
// One pass over memory on a GPU; on the CPU the two ops one after the other.
#pragma once

#include "ops/op_context.h"

namespace cairn::ops {

// By which angles heads are rotated.
struct RopeTables {
  ConstTensorView positions_N;     // (N) int32, each in [0, P)
  ConstTensorView cos_PK, sin_PK;  // (P, C/2) float32
};

//   y_NHC        (N, H, C) float32   = ; must not alias x
//   rstd         (N * H) float32     = ; saved for backward
//   x_NHC        (N, H, C) float32
//   weight_C     (C) float32
void norm_rope_forward(const OpContext& ctx, TensorView y_NHC, TensorView rstd, ConstTensorView x_NHC,
                       ConstTensorView weight_C, const RopeTables& rope, float eps);

// Everything backward reads and writes.
struct NormRopeBackward {
  TensorView dx_NHC;      // (N, H, C) float32, = the gradient of x; on entry the gradient of y, which is lost
  TensorView dweight_C;   // (C) float32, += ; summed over rows in a fixed order
  ConstTensorView x_NHC;  // (N, H, C) float32, the forward's input
  ConstTensorView weight_C;  // (C) float32
  ConstTensorView rstd;      // (N * H) float32
  RopeTables rope;
  TensorView amax{};  // (1) float32, = the largest |dx|, or a null view; on a GPU only
};
void norm_rope_backward(const OpContext& ctx, const NormRopeBackward& args);

}  // namespace cairn::ops
