// Causal self-attention of one layer: projections, optional query/key norms, RoPE, attention, output projection.
// Norm before RoPE; grouped key/value heads; documents are kept apart by RunContext::mask.
#pragma once

#include <string>

#include "nn/layers.h"

namespace cairn::nn {

class AttentionBlock {
 public:
  AttentionBlock() = default;
  // `prefix` is "model.layers.0.self_attn.". Opens no scratch scope of its own for what forward keeps.
  static AttentionBlock declare(DeclareContext& ctx, const std::string& prefix);

  // The heads' outputs, kept inside (=); project() turns them into the block's output.
  // With a cache (RunContext::num_cached, B = 1) new keys and values are appended to it first.
  //   x_ND (N, D) float32; measured where its maker was given input_amax(), a null view without eight-bit layers
  void forward(const RunContext& run, const ops::Fp8Source& x_ND) const;
  TensorView input_amax(const RunContext& run) const;
  //   out_ND (N, D) float32, =
  void project(const RunContext& run, TensorView out_ND) const;
  // The same added to base_ND (N, D), which may be out_ND.
  void project_onto(const RunContext& run, TensorView out_ND, ConstTensorView base_ND) const;

  // REQUIRES: forward() ran last on this slot with the same x_ND. Adds to the gradients of its parameters.
  //   dx_ND   (N, D) float32, = or += per mode; must not alias dout
  //   dout_ND (N, D) float32, gradient of project()'s output
  void backward(const RunContext& run, TensorView dx_ND, ConstTensorView dout_ND, ConstTensorView x_ND,
                ops::WriteMode mode) const;

 private:
  // One of queries and keys: from the projection's output to the rotated heads.
  struct Heads {
    Linear projection;
    RmsNorm norm;
    TensorId raw;      // projection's output, kept for the norm's backward; invalid without a norm
    TensorId rotated;  // invalid for keys with a cache, which are rotated in the cache
    std::int64_t num_heads = 0;
  };
  static Heads declare_heads(DeclareContext& ctx, const std::string& prefix, const std::string& letter,
                             std::int64_t num_heads, const Linear* leader);
  static void declare_norm(DeclareContext& ctx, const std::string& prefix, const std::string& letter,
                           Heads& heads);
  void rotate(const RunContext& run, const Heads& heads, TensorView out, ConstTensorView x_ND) const;
  // From the projection's output, or in place where there is no norm.
  void rotate_projected(const RunContext& run, const Heads& heads, TensorView out) const;
  // From the rotated heads' gradient to the projection's, ready for the products of backward.
  void unrotate(const RunContext& run, const Heads& heads, TensorView dheads) const;
  // What attention runs in: the ops' context, with the larger workspace that a library's kernels may want.
  ops::OpContext op_context(const RunContext& run) const;
  TensorView cached(const RunContext& run, TensorId cache, std::int64_t begin, std::int64_t count) const;

  Heads q_, k_;
  Linear v_proj_, o_proj_;
  TensorId v_, o_, lse_;
  TensorId k_cache_, v_cache_;  // (cache rows, G * C)
  TensorId do_, dq_, dk_, dv_, delta_;
  TensorId workspace_;  // invalid where the ops' own is enough
  std::int64_t head_dim_ = 0;
  bool has_head_norms_ = false;
  bool remakes_ = false;  // queries and keys, from the projections' outputs
};

}  // namespace cairn::nn
