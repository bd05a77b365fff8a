// y = x / sqrt(mean_D(x^2) + eps) * weight.   Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4.
// Used over the model width (N, D) and, for query/key norms, over one head's channels (N*H, C).
#pragma once

#include "ops/op_context.h"

namespace cairn::ops {

//   y_ND      (N, D) float32   = ; may alias x
//   rstd_N    (N) float32      = ; saved for backward
//   x_ND      (N, D) float32
//   weight_D  (D) float32
//   amax      (1) float32      = the largest |y|, or a null view; on a GPU only
// The mean of squares is summed in 16 fixed lanes: the bits do not depend on threads or vector width.
void rms_norm_forward(const OpContext& ctx, TensorView y_ND, TensorView rstd_N, ConstTensorView x_ND,
                      ConstTensorView weight_D, float eps, TensorView amax = {});

// Everything backward reads and writes.
struct RmsNormBackward {
  TensorView dx_ND;          // (N, D) float32, = or += per mode; may alias dy
  TensorView dweight_D;      // (D) float32, += ; summed over rows in a fixed order
  ConstTensorView dy_ND;     // (N, D) float32
  ConstTensorView x_ND;      // (N, D) float32, the forward's input
  ConstTensorView weight_D;  // (D) float32
  ConstTensorView rstd_N;    // (N) float32
  WriteMode mode = WriteMode::kOverwrite;
};
void rms_norm_backward(const OpContext& ctx, const RmsNormBackward& args);

}  // namespace cairn::ops
