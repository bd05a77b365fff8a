#include "nn/attention_block.h"

#include "ops/attention.h"
#include "ops/rope.h"

namespace cairn::nn {
namespace {

using ops::WriteMode;

// The first elements of a flat tensor under other dims.
TensorView prefix_view(TensorView flat, Shape shape) {
  return flat.rows(0, shape.num_elements()).reshape(shape);
}

}  // namespace

AttentionBlock::Heads AttentionBlock::declare_heads(DeclareContext& ctx, const std::string& prefix,
                                                    const std::string& letter, std::int64_t num_heads,
                                                    const Linear* leader) {
  const std::int64_t width = num_heads * ctx.config.head_dim;
  Heads heads;
  heads.num_heads = num_heads;
  heads.projection = Linear::declare(ctx, prefix + letter + "_proj", width, ctx.config.hidden_size,
                                     Initialization::kNormal, leader);
  if (ctx.config.qk_norm() != QkNorm::kNone) {
    heads.raw = ctx.add_activation(prefix + letter + "_raw", Shape{ctx.num_rows(), width}, ctx.inner);
  }
  if (letter == "q" || ctx.cache_rows == 0) {
    heads.rotated = ctx.add_activation(prefix + letter, Shape{ctx.num_rows(), width},
                                       heads.raw.is_valid() ? ctx.remade() : ctx.inner);
  }
  return heads;
}

void AttentionBlock::declare_norm(DeclareContext& ctx, const std::string& prefix, const std::string& letter,
                                  Heads& heads) {
  if (ctx.config.qk_norm() == QkNorm::kPerHead) {
    heads.norm = RmsNorm::declare(ctx, prefix + letter + "_norm", ctx.config.head_dim, heads.num_heads);
  } else if (ctx.config.qk_norm() == QkNorm::kFullWidth) {
    heads.norm = RmsNorm::declare(ctx, prefix + letter + "_norm", heads.num_heads * ctx.config.head_dim, 1);
  }
}

AttentionBlock AttentionBlock::declare(DeclareContext& ctx, const std::string& prefix) {
  const ModelConfig& config = ctx.config;
  const std::int64_t N = ctx.num_rows();
  const std::int64_t query_width = config.num_attention_heads * config.head_dim;
  const std::int64_t key_width = config.num_key_value_heads * config.head_dim;
  AttentionBlock block;
  block.head_dim_ = config.head_dim;
  block.has_head_norms_ = config.qk_norm() == QkNorm::kPerHead;
  block.remakes_ = ctx.remakes && config.qk_norm() != QkNorm::kNone;
  block.q_ = declare_heads(ctx, prefix, "q", config.num_attention_heads, nullptr);
  block.k_ = declare_heads(ctx, prefix, "k", config.num_key_value_heads, &block.q_.projection);
  block.v_proj_ = Linear::declare(ctx, prefix + "v_proj", key_width, config.hidden_size,
                                  Initialization::kNormal, &block.q_.projection);
  declare_norm(ctx, prefix, "q", block.q_);
  declare_norm(ctx, prefix, "k", block.k_);
  block.o_proj_ = Linear::declare(ctx, prefix + "o_proj", config.hidden_size, query_width,
                                  Initialization::kNormalScaledByDepth);
  block.o_ = ctx.add_activation(prefix + "o", Shape{N, query_width}, ctx.inner);
  block.lse_ = ctx.add(prefix + "lse", Shape{N * config.num_attention_heads}, ctx.inner);
  if (ctx.cache_rows > 0) {
    block.k_cache_ = ctx.add_activation(prefix + "k_cache", Shape{ctx.cache_rows, key_width}, Lifetime::kIo);
    block.v_cache_ = ctx.add_activation(prefix + "v_cache", Shape{ctx.cache_rows, key_width}, Lifetime::kIo);
  } else {
    block.v_ = ctx.add_activation(prefix + "v", Shape{N, key_width}, ctx.inner);
  }
  const ScratchScope scope(ctx.plan);
  if (ctx.attention_workspace_bytes > 0) {
    block.workspace_ = ctx.add(prefix + "workspace", Shape{ctx.attention_workspace_bytes}, Lifetime::kScratch,
                               DType::kUint8);
  }
  if (ctx.with_gradients) {
    block.do_ = ctx.add_activation(prefix + "do", Shape{N, query_width}, Lifetime::kScratch);
    block.dq_ = ctx.add_activation(prefix + "dq", Shape{N, query_width}, Lifetime::kScratch);
    block.dk_ = ctx.add_activation(prefix + "dk", Shape{N, key_width}, Lifetime::kScratch);
    block.dv_ = ctx.add_activation(prefix + "dv", Shape{N, key_width}, Lifetime::kScratch);
    block.delta_ = ctx.add(prefix + "delta", Shape{N * config.num_attention_heads}, Lifetime::kScratch);
  }
  return block;
}

ops::OpContext AttentionBlock::op_context(const RunContext& run) const {
  ops::OpContext ops = run.ops;
  if (workspace_.is_valid()) {
    ops.workspace = run.view(workspace_);
  }
  return ops;
}

void AttentionBlock::rotate(const RunContext& run, const Heads& heads, TensorView out,
                            ConstTensorView x_ND) const {
  heads.projection.forward(run, heads.raw.is_valid() ? run.rows(heads.raw) : out, x_ND,
                           WriteMode::kOverwrite);
  rotate_projected(run, heads, out);
}

void AttentionBlock::rotate_projected(const RunContext& run, const Heads& heads, TensorView out) const {
  if (has_head_norms_) {
    heads.norm.forward_rotated(run, out, run.rows(heads.raw));
    return;
  }
  if (heads.raw.is_valid()) {
    heads.norm.forward(run, out, run.rows(heads.raw));
  }
  const TensorView out_NHC = out.reshape(Shape{run.num_rows(), heads.num_heads, head_dim_});
  ops::rope_forward(run.ops, out_NHC, out_NHC, run.positions_N, run.cos_PK, run.sin_PK);
}

void AttentionBlock::unrotate(const RunContext& run, const Heads& heads, TensorView dheads) const {
  if (has_head_norms_) {
    heads.norm.backward_rotated(run, dheads, run.rows(heads.raw), heads.projection.gradient_amax(run));
    heads.projection.round_gradient(run, ops::Fp8Source::measured(dheads));
    return;
  }
  const TensorView dheads_NHC = dheads.reshape(Shape{run.num_rows(), heads.num_heads, head_dim_});
  ops::rope_backward(run.ops, dheads_NHC, dheads_NHC, run.positions_N, run.cos_PK, run.sin_PK);
  if (heads.raw.is_valid()) {
    heads.norm.backward(run, dheads, dheads, run.rows(heads.raw), WriteMode::kOverwrite);
  }
  heads.projection.round_gradient(run, dheads);
}

TensorView AttentionBlock::cached(const RunContext& run, TensorId cache, std::int64_t begin,
                                  std::int64_t count) const {
  return run.view(cache).rows(begin, count);
}

TensorView AttentionBlock::input_amax(const RunContext& run) const {
  return q_.projection.input_amax(run);
}

void AttentionBlock::forward(const RunContext& run, const ops::Fp8Source& x_ND) const {
  const ConstTensorView x = x_ND.x_RC;
  const bool is_cached = k_cache_.is_valid();
  CHECK(is_cached || run.num_cached == 0, "attention without a cache cannot continue a sequence");
  const std::int64_t S = run.num_cached + run.T;
  const TensorView q = run.rows(q_.rotated);
  const TensorView new_k = is_cached ? cached(run, k_cache_, run.num_cached, run.T) : run.rows(k_.rotated);
  const TensorView new_v = is_cached ? cached(run, v_cache_, run.num_cached, run.T) : run.rows(v_);
  q_.projection.round_input(run, x_ND);
  rotate(run, q_, q, x);
  rotate(run, k_, new_k, x);
  v_proj_.forward(run, new_v, x, WriteMode::kOverwrite);

  const ops::AttentionDims dims{run.B, run.T, S, q_.num_heads, k_.num_heads, head_dim_, run.num_cached};
  const Shape query_shape{run.B, run.T, q_.num_heads, head_dim_};
  const Shape key_shape{run.B, S, k_.num_heads, head_dim_};
  const TensorView k = is_cached ? cached(run, k_cache_, 0, S) : new_k;
  const TensorView v = is_cached ? cached(run, v_cache_, 0, S) : new_v;
  ops::attention_forward(op_context(run), dims, run.rows(o_).reshape(query_shape),
                         prefix_view(run.view(lse_), Shape{run.B, q_.num_heads, run.T}),
                         q.reshape(query_shape), k.reshape(key_shape), v.reshape(key_shape), run.mask);
}

void AttentionBlock::project(const RunContext& run, TensorView out_ND) const {
  o_proj_.round_input(run, run.rows(o_));
  o_proj_.forward(run, out_ND, run.rows(o_), WriteMode::kOverwrite);
}

void AttentionBlock::project_onto(const RunContext& run, TensorView out_ND, ConstTensorView base_ND) const {
  o_proj_.round_input(run, run.rows(o_));
  o_proj_.forward_onto(run, out_ND, base_ND, run.rows(o_));
}

void AttentionBlock::backward(const RunContext& run, TensorView dx_ND, ConstTensorView dout_ND,
                              ConstTensorView x_ND, WriteMode mode) const {
  if (remakes_) {
    rotate_projected(run, q_, run.rows(q_.rotated));
    rotate_projected(run, k_, run.rows(k_.rotated));
  }
  const TensorView do_NX = run.rows(do_);
  o_proj_.round_gradient(run, dout_ND);
  o_proj_.backward_weight(run, dout_ND, run.rows(o_));
  o_proj_.backward_input(run, do_NX, dout_ND, WriteMode::kOverwrite);

  const ops::AttentionDims dims{run.B, run.T, run.T, q_.num_heads, k_.num_heads, head_dim_, 0};
  const Shape query_shape{run.B, run.T, q_.num_heads, head_dim_};
  const Shape key_shape{run.B, run.T, k_.num_heads, head_dim_};
  const Shape row_shape{run.B, q_.num_heads, run.T};
  const TensorView dq = run.rows(dq_);
  const TensorView dk = run.rows(dk_);
  const TensorView dv = run.rows(dv_);
  ops::AttentionBackward args;
  args.dq_BTHC = dq.reshape(query_shape);
  args.dk_BSGC = dk.reshape(key_shape);
  args.dv_BSGC = dv.reshape(key_shape);
  args.delta_BHT = run.view(delta_).reshape(row_shape);
  args.do_BTHC = do_NX.reshape(query_shape);
  args.q_BTHC = run.rows(q_.rotated).reshape(query_shape);
  args.k_BSGC = run.rows(k_.rotated).reshape(key_shape);
  args.v_BSGC = run.rows(v_).reshape(key_shape);
  args.o_BTHC = run.rows(o_).reshape(query_shape);
  args.lse_BHT = run.view(lse_).reshape(row_shape);
  args.mask = run.mask;
  ops::attention_backward(op_context(run), dims, args);

  unrotate(run, q_, dq);
  q_.projection.backward_weight(run, dq, x_ND);
  q_.projection.backward_input(run, dx_ND, dq, mode);
  unrotate(run, k_, dk);
  k_.projection.backward_weight(run, dk, x_ND);
  k_.projection.backward_input(run, dx_ND, dk, WriteMode::kAdd);
  v_proj_.round_gradient(run, dv);
  v_proj_.backward_weight(run, dv, x_ND);
  v_proj_.backward_input(run, dx_ND, dv, WriteMode::kAdd);
}

}  // namespace cairn::nn
