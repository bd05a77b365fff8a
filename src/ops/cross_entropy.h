// Cross entropy of logits against one id per row, and its gradient.
#pragma once

#include "ops/op_context.h"

namespace cairn::ops {

//   loss_N     (N) float32   = ; -log softmax(logits)[target] in nats; 0 where weight is 0
//   lse_N      (N) float32   = ; log-sum-exp of the row
//   logits_NV  (N, V) float32
//   targets_N  (N) int32     in [0, V) wherever weight is not 0
//   weight_N   (N) float32
// The loss is not multiplied by the weight; sums are taken in float64 over fixed lanes.
void cross_entropy_forward(const OpContext& ctx, TensorView loss_N, TensorView lse_N,
                           ConstTensorView logits_NV, ConstTensorView targets_N, ConstTensorView weight_N);

//   dlogits_NV (N, V) float32  = (softmax(logits) - onehot(target)) * dloss_N[n]; may alias logits
//   dloss_N    (N) float32     gradient of the objective by each row's loss (mask and reduction folded in)
void cross_entropy_backward(const OpContext& ctx, TensorView dlogits_NV, ConstTensorView logits_NV,
                            ConstTensorView lse_N, ConstTensorView targets_N, ConstTensorView dloss_N);

// Both at once and in place: each row of logits is read from memory once. The CPU's bits are those of the two calls; a
// GPU adds the exponentials in another order of lanes.
//   loss_N     (N) float32  = ; as above
//   logits_NV  (N, V)       logits, replaced by their gradient
void cross_entropy_forward_backward(const OpContext& ctx, TensorView loss_N, TensorView logits_NV,
                                    ConstTensorView targets_N, ConstTensorView weight_N,
                                    ConstTensorView dloss_N);

//   predicted_N (N) int32  = ; the id of each row's largest logit, the lowest one on ties
void argmax_rows(const OpContext& ctx, TensorView predicted_N, ConstTensorView logits_NV);

}  // namespace cairn::ops
