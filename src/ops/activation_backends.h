// The unchecked bodies behind activation.h, one namespace per back end.
#pragma once

#include "ops/activation.h"

namespace cairn::ops::cpu {

void xielu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView x_NF, ConstTensorView a_p,
                   ConstTensorView a_n, XieluConstants constants);
void xielu_backward_input(const OpContext& ctx, TensorView dx_NF, ConstTensorView dy_NF, ConstTensorView x_NF,
                          ConstTensorView a_p, ConstTensorView a_n, XieluConstants constants);
void xielu_backward_weight(const OpContext& ctx, TensorView da_p, TensorView da_n, ConstTensorView dy_NF,
                           ConstTensorView x_NF, ConstTensorView a_p, ConstTensorView a_n,
                           XieluConstants constants);
void swiglu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView gate_NF, ConstTensorView up_NF);
void swiglu_backward(const OpContext& ctx, TensorView dgate_NF, TensorView dup_NF, ConstTensorView dy_NF,
                     ConstTensorView gate_NF, ConstTensorView up_NF);

}  // namespace cairn::ops::cpu

namespace cairn::ops::cuda {

void xielu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView x_NF, ConstTensorView a_p,
                   ConstTensorView a_n, XieluConstants constants);
void xielu_backward(const OpContext& ctx, const XieluBackward& args);
void swiglu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView gate_NF, ConstTensorView up_NF);
void swiglu_backward(const OpContext& ctx, TensorView dgate_NF, TensorView dup_NF, ConstTensorView dy_NF,
                     ConstTensorView gate_NF, ConstTensorView up_NF);

}  // namespace cairn::ops::cuda
