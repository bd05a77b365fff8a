// The unchecked bodies behind rms_norm.h, one namespace per back end.
#pragma once

#include "ops/rms_norm.h"

namespace cairn::ops::cpu {

void rms_norm_forward(const OpContext& ctx, TensorView y_ND, TensorView rstd_N, ConstTensorView x_ND,
                      ConstTensorView weight_D, float eps);
void rms_norm_backward_input(const OpContext& ctx, TensorView dx_ND, ConstTensorView dy_ND,
                             ConstTensorView x_ND, ConstTensorView weight_D, ConstTensorView rstd_N,
                             WriteMode mode);
void rms_norm_backward_weight(const OpContext& ctx, TensorView dweight_D, ConstTensorView dy_ND,
                              ConstTensorView x_ND, ConstTensorView rstd_N);

}  // namespace cairn::ops::cpu

namespace cairn::ops::cuda {

void rms_norm_forward(const OpContext& ctx, TensorView y_ND, TensorView rstd_N, ConstTensorView x_ND,
                      ConstTensorView weight_D, float eps, TensorView amax);
void rms_norm_backward(const OpContext& ctx, const RmsNormBackward& args);

}  // namespace cairn::ops::cuda
