// One layer of a decoder: attention and feed-forward parts with their norms and residual sums.
//   pre-norm   h = x + attention(norm1(x));  out = h + mlp(norm2(h))
//   post-norm  h = x + norm1(attention(x));  out = h + norm2(mlp(h))
#pragma once

#include <string>

#include "nn/attention_block.h"
#include "nn/layers.h"
#include "nn/mlp_block.h"

namespace cairn::nn {

class DecoderBlock {
 public:
  DecoderBlock() = default;
  // `prefix` is "model.layers.0.". Tensors of lifetime ctx.inner are those that backward needs beside the block's
  // input; as scratch they share bytes with other blocks', so forward (or recompute) must run right before.
  static DecoderBlock declare(DeclareContext& ctx, const std::string& prefix);

  //   out_ND, x_ND (N, D) float32; = ; out may alias x only in a plan without gradients
  void forward(const RunContext& run, TensorView out_ND, ConstTensorView x_ND) const;
  // Forward without its output: fills again what backward reads, bit for bit.
  void recompute(const RunContext& run, ConstTensorView x_ND) const;
  // In place: dstream_ND (N, D) float32 holds the gradient of the output and becomes that of the input.
  void backward(const RunContext& run, TensorView dstream_ND, ConstTensorView x_ND) const;

 private:
  void forward_attention(const RunContext& run, TensorView mid_ND, ConstTensorView x_ND) const;
  void forward_mlp(const RunContext& run, ConstTensorView mid_ND) const;

  bool is_pre_norm_ = true;
  bool remakes_sides_ = false;  // the norms' outputs, from the stream
  RmsNorm attention_norm_, mlp_norm_;
  AttentionBlock attention_;
  MlpBlock mlp_;
  TensorId attention_side_;  // pre-norm: norm1's output; post-norm: norm1's input
  TensorId mlp_side_;        // the same for norm2
  TensorId mid_;             // h; invalid without gradients (the output's memory serves)
  TensorId normed_;          // post-norm: a norm's output before the residual sum
  TensorId dside_;           // backward: gradient of a side tensor
};

}  // namespace cairn::nn
