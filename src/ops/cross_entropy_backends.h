// The unchecked bodies behind cross_entropy.h, one namespace per back end.
#pragma once

#include "ops/cross_entropy.h"

namespace cairn::ops::cpu {

void cross_entropy_forward(const OpContext& ctx, TensorView loss_N, TensorView lse_N,
                           ConstTensorView logits_NV, ConstTensorView targets_N, ConstTensorView weight_N);
void cross_entropy_backward(const OpContext& ctx, TensorView dlogits_NV, ConstTensorView logits_NV,
                            ConstTensorView lse_N, ConstTensorView targets_N, ConstTensorView dloss_N);
void cross_entropy_forward_backward(const OpContext& ctx, TensorView loss_N, TensorView logits_NV,
                                    ConstTensorView targets_N, ConstTensorView weight_N,
                                    ConstTensorView dloss_N);
void argmax_rows(const OpContext& ctx, TensorView predicted_N, ConstTensorView logits_NV);

}  // namespace cairn::ops::cpu

namespace cairn::ops::cuda {

void cross_entropy_forward(const OpContext& ctx, TensorView loss_N, TensorView lse_N,
                           ConstTensorView logits_NV, ConstTensorView targets_N, ConstTensorView weight_N);
void cross_entropy_backward(const OpContext& ctx, TensorView dlogits_NV, ConstTensorView logits_NV,
                            ConstTensorView lse_N, ConstTensorView targets_N, ConstTensorView dloss_N);
void cross_entropy_forward_backward(const OpContext& ctx, TensorView loss_N, TensorView logits_NV,
                                    ConstTensorView targets_N, ConstTensorView weight_N,
                                    ConstTensorView dloss_N);
void argmax_rows(const OpContext& ctx, TensorView predicted_N, ConstTensorView logits_NV);

}  // namespace cairn::ops::cuda
