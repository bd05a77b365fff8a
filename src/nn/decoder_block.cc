#include "nn/decoder_block.h"

#include "ops/elementwise.h"

namespace cairn::nn {
namespace {

using ops::WriteMode;

struct NormNames {
  const char* attention;
  const char* mlp;
};

NormNames norm_names(ModelType type) {
  switch (type) {
    case ModelType::kApertus:
      return {"attention_layernorm", "feedforward_layernorm"};
    case ModelType::kOlmo2:
      return {"post_attention_layernorm", "post_feedforward_layernorm"};
    case ModelType::kLlama:
    case ModelType::kQwen3:
    case ModelType::kMistral:
      break;
  }
  return {"input_layernorm", "post_attention_layernorm"};
}

}  // namespace

DecoderBlock DecoderBlock::declare(DeclareContext& ctx, const std::string& prefix) {
  const ScratchScope scope(ctx.plan);
  const std::int64_t D = ctx.config.hidden_size;
  const Shape shape_ND{ctx.num_rows(), D};
  const NormNames names = norm_names(ctx.config.type);
  DecoderBlock block;
  block.is_pre_norm_ = ctx.config.norm_placement() == NormPlacement::kPre;
  block.remakes_sides_ = ctx.remakes && block.is_pre_norm_ && ctx.fp8 == nullptr;
  const Lifetime side = block.is_pre_norm_ ? ctx.kept_input() : ctx.inner;
  block.attention_side_ = ctx.add_activation(prefix + "attention_side", shape_ND, side);
  block.mlp_side_ = ctx.add_activation(prefix + "mlp_side", shape_ND, side);
  if (!block.is_pre_norm_) {
    block.normed_ = ctx.add_activation(prefix + "normed", shape_ND, Lifetime::kScratch);
  }
  if (ctx.with_gradients) {
    block.mid_ = ctx.add_activation(prefix + "mid", shape_ND, ctx.inner);
    block.dside_ = ctx.add_activation(prefix + "dside", shape_ND, Lifetime::kScratch);
  }
  if (block.is_pre_norm_) {
    block.attention_norm_ = RmsNorm::declare(ctx, prefix + names.attention, D, 1);
    block.attention_ = AttentionBlock::declare(ctx, prefix + "self_attn.");
    block.mlp_norm_ = RmsNorm::declare(ctx, prefix + names.mlp, D, 1);
    block.mlp_ = MlpBlock::declare(ctx, prefix + "mlp.");
  } else {
    block.attention_ = AttentionBlock::declare(ctx, prefix + "self_attn.");
    block.attention_norm_ = RmsNorm::declare(ctx, prefix + names.attention, D, 1);
    block.mlp_ = MlpBlock::declare(ctx, prefix + "mlp.");
    block.mlp_norm_ = RmsNorm::declare(ctx, prefix + names.mlp, D, 1);
  }
  return block;
}

void DecoderBlock::forward_attention(const RunContext& run, TensorView mid_ND, ConstTensorView x_ND) const {
  const TensorView side_ND = run.rows(attention_side_);
  if (is_pre_norm_) {
    attention_norm_.forward(run, side_ND, x_ND, attention_.input_amax(run));
    attention_.forward(run, ops::Fp8Source::measured(side_ND));
    attention_.project_onto(run, mid_ND, x_ND);
    return;
  }
  const TensorView normed_ND = run.rows(normed_);
  attention_.forward(run, x_ND);
  attention_.project(run, side_ND);
  attention_norm_.forward(run, normed_ND, side_ND);
  ops::add(run.ops, mid_ND, x_ND, normed_ND);
}

void DecoderBlock::forward_mlp(const RunContext& run, ConstTensorView mid_ND) const {
  const TensorView side_ND = run.rows(mlp_side_);
  if (is_pre_norm_) {
    mlp_norm_.forward(run, side_ND, mid_ND, mlp_.input_amax(run));
    mlp_.forward(run, ops::Fp8Source::measured(side_ND));
    return;
  }
  mlp_.forward(run, mid_ND);
  mlp_.project(run, side_ND);
  mlp_norm_.forward(run, run.rows(normed_), side_ND);
}

void DecoderBlock::forward(const RunContext& run, TensorView out_ND, ConstTensorView x_ND) const {
  const TensorView mid_ND = mid_.is_valid() ? run.rows(mid_) : out_ND;
  forward_attention(run, mid_ND, x_ND);
  forward_mlp(run, mid_ND);
  if (is_pre_norm_) {
    mlp_.project_onto(run, out_ND, mid_ND);
  } else {
    ops::add(run.ops, out_ND, mid_ND, run.rows(normed_));
  }
}

void DecoderBlock::recompute(const RunContext& run, ConstTensorView x_ND) const {
  const TensorView mid_ND = run.rows(mid_);
  forward_attention(run, mid_ND, x_ND);
  forward_mlp(run, mid_ND);
}

void DecoderBlock::backward(const RunContext& run, TensorView dstream_ND, ConstTensorView x_ND) const {
  const TensorView mid_ND = run.rows(mid_);
  const TensorView dside_ND = run.rows(dside_);
  const TensorView attention_side_ND = run.rows(attention_side_);
  const TensorView mlp_side_ND = run.rows(mlp_side_);
  if (remakes_sides_) {
    mlp_norm_.forward(run, mlp_side_ND, mid_ND);
    attention_norm_.forward(run, attention_side_ND, x_ND);
  }
  if (is_pre_norm_) {
    mlp_.backward(run, dside_ND, dstream_ND, mlp_side_ND, WriteMode::kOverwrite);
    mlp_norm_.backward(run, dstream_ND, dside_ND, mid_ND, WriteMode::kAdd);
    attention_.backward(run, dside_ND, dstream_ND, attention_side_ND, WriteMode::kOverwrite);
    attention_norm_.backward(run, dstream_ND, dside_ND, x_ND, WriteMode::kAdd);
    return;
  }
  mlp_norm_.backward(run, dside_ND, dstream_ND, mlp_side_ND, WriteMode::kOverwrite);
  mlp_.backward(run, dstream_ND, dside_ND, mid_ND, WriteMode::kAdd);
  attention_norm_.backward(run, dside_ND, dstream_ND, attention_side_ND, WriteMode::kOverwrite);
  attention_.backward(run, dstream_ND, dside_ND, x_ND, WriteMode::kAdd);
}

}  // namespace cairn::nn
