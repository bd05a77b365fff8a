// The end of a decoder: last norm, output projection, cross entropy. Logits exist for kLmHeadRows rows at a time.
//
// In training each chunk runs forward and backward at once: logits are computed once, turned into their gradient
// in place, and spent on the weight's and the hidden states' gradients. The price is a scratch chunk of
// (kLmHeadRows, V) and that the gradient by each loss must be known beforehand. The chunk size is a constant, and
// no number depends on it: rows are independent, and weight gradients add in row order.
#pragma once

#include "nn/layers.h"

namespace cairn::nn {

inline constexpr std::int64_t kLmHeadRows = 512;

class LmHead {
 public:
  LmHead() = default;
  // Declares "model.norm" and, unless the configuration ties it to `embedding`, "lm_head".
  static LmHead declare(DeclareContext& ctx, const Embedding& embedding);

  // dx_ND is the gradient by x_ND (=, may alias it); adds to the gradients of the head's and the norm's weights.
  //   x_ND (N, D); loss_N (N) = ; dloss_N (N); targets_N (N) int32, mask_N (N) float32 as in the batch
  struct Targets {
    ConstTensorView targets_N, mask_N, dloss_N;
    TensorView loss_N;
  };
  void forward_backward(const RunContext& run, TensorView dx_ND, ConstTensorView x_ND,
                        const Targets& targets) const;

  // Losses (=) and, unless predicted_N is null, the id of each row's largest logit (=, int32; lowest on ties).
  void evaluate(const RunContext& run, ConstTensorView x_ND, const Targets& targets,
                TensorView predicted_N) const;

  //   logits (rows, V) = of the rows from first_row on, all others are not computed
  void logits(const RunContext& run, TensorView logits, ConstTensorView x_ND, std::int64_t first_row) const;

 private:
  RmsNorm norm_;
  Linear projection_;
  TensorId hidden_;  // (N, D) the norm's output
  TensorId logits_;  // (chunk rows, V)
  TensorId lse_;     // (chunk rows)
};

}  // namespace cairn::nn
