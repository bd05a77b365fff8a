#include "nn/mlp_block.h"

namespace cairn::nn {

using ops::WriteMode;

MlpBlock MlpBlock::declare(DeclareContext& ctx, const std::string& prefix) {
  const std::int64_t D = ctx.config.hidden_size;
  const std::int64_t F = ctx.config.intermediate_size;
  const Shape shape_NF{ctx.num_rows(), F};
  const bool is_gated = ctx.config.activation() == Activation::kSwiglu;
  MlpBlock block;
  block.activation_ = ctx.config.activation();
  if (is_gated) {
    block.gate_proj_ = Linear::declare(ctx, prefix + "gate_proj", F, D, Initialization::kNormal);
    block.gate_ = ctx.add_activation(prefix + "gate", shape_NF, ctx.inner);
  }
  block.up_proj_ = Linear::declare(ctx, prefix + "up_proj", F, D, Initialization::kNormal,
                                   is_gated ? &block.gate_proj_ : nullptr);
  block.up_ = ctx.add_activation(prefix + "up", shape_NF, ctx.inner);
  if (!is_gated) {
    const std::string name = prefix + "act_fn.";
    block.alpha_p_ = ctx.add_parameter(name + "alpha_p", Shape{1}, Initialization::kXieluAlphaP);
    block.alpha_n_ = ctx.add_parameter(name + "alpha_n", Shape{1}, Initialization::kXieluAlphaN);
    ctx.buffers.push_back({name + "beta", block.xielu_.beta});
    ctx.buffers.push_back({name + "eps", block.xielu_.eps});
  }
  block.remakes_ = ctx.remakes && ctx.fp8 == nullptr;  // eight-bit layers keep their inputs rounded
  block.active_ = ctx.add_activation(prefix + "active", shape_NF, ctx.kept_input());
  block.down_proj_ = Linear::declare(ctx, prefix + "down_proj", D, F, Initialization::kNormalScaledByDepth);
  return block;
}

TensorView MlpBlock::input_amax(const RunContext& run) const {
  return first_proj().input_amax(run);
}

void MlpBlock::forward(const RunContext& run, const ops::Fp8Source& x_ND) const {
  const ConstTensorView x = x_ND.x_RC;
  first_proj().round_input(run, x_ND);
  if (activation_ == Activation::kSwiglu) {
    gate_proj_.forward(run, run.rows(gate_), x, WriteMode::kOverwrite);
  }
  up_proj_.forward(run, run.rows(up_), x, WriteMode::kOverwrite);
  activate(run);
}

void MlpBlock::activate(const RunContext& run) const {
  const TensorView up_NF = run.rows(up_);
  if (down_proj_.is_fp8()) {
    down_proj_.round_input(run, activation_ == Activation::kSwiglu
                                    ? ops::Fp8Source::swiglu(run.rows(gate_), up_NF)
                                    : ops::Fp8Source::xielu(up_NF, run.view(alpha_p_.weight),
                                                            run.view(alpha_n_.weight), xielu_));
    return;
  }
  const TensorView active_NF = run.rows(active_);
  if (activation_ == Activation::kSwiglu) {
    ops::swiglu_forward(run.ops, active_NF, run.rows(gate_), up_NF);
  } else {
    ops::xielu_forward(run.ops, active_NF, up_NF, run.view(alpha_p_.weight), run.view(alpha_n_.weight),
                       xielu_);
  }
}

void MlpBlock::project(const RunContext& run, TensorView out_ND) const {
  down_proj_.forward(run, out_ND, run.rows(active_), WriteMode::kOverwrite);
}

void MlpBlock::project_onto(const RunContext& run, TensorView out_ND, ConstTensorView base_ND) const {
  down_proj_.forward_onto(run, out_ND, base_ND, run.rows(active_));
}

void MlpBlock::backward(const RunContext& run, TensorView dx_ND, ConstTensorView dout_ND,
                        ConstTensorView x_ND, WriteMode mode) const {
  if (remakes_) {
    activate(run);
  }
  const TensorView up_NF = run.rows(up_);
  down_proj_.round_gradient(run, dout_ND);
  down_proj_.backward_weight(run, dout_ND, run.rows(active_));
  // The activations are spent: their gradient takes their place, and the gate's that of the gate.
  const TensorView dup_NF = run.rows(active_);
  down_proj_.backward_input(run, dup_NF, dout_ND, WriteMode::kOverwrite);
  if (activation_ == Activation::kSwiglu) {
    const TensorView dgate_NF = run.rows(gate_);
    ops::swiglu_backward(run.ops, dgate_NF, dup_NF, dup_NF, dgate_NF, up_NF);
    gate_proj_.round_gradient(run, dgate_NF);
    gate_proj_.backward_weight(run, dgate_NF, x_ND);
    gate_proj_.backward_input(run, dx_ND, dgate_NF, mode);
    up_proj_.round_gradient(run, dup_NF);
    mode = WriteMode::kAdd;
  } else {
    const TensorView alpha_p = run.view(alpha_p_.weight);
    const TensorView alpha_n = run.view(alpha_n_.weight);
    ops::xielu_backward(run.ops, {dup_NF, run.view(alpha_p_.gradient), run.view(alpha_n_.gradient), dup_NF,
                                  up_NF, alpha_p, alpha_n, xielu_, up_proj_.gradient_amax(run)});
    up_proj_.round_gradient(run, ops::Fp8Source::measured(dup_NF));
  }
  up_proj_.backward_weight(run, dup_NF, x_ND);
  up_proj_.backward_input(run, dx_ND, dup_NF, mode);
}

}  // namespace cairn::nn
