// The feed-forward part of one layer: down(xielu(up x)) without a gate, or down(silu(gate x) * up x).
#pragma once

#include <string>

#include "nn/layers.h"
#include "ops/activation.h"

namespace cairn::nn {

class MlpBlock {
 public:
  MlpBlock() = default;
  // `prefix` is "model.layers.0.mlp.".
  static MlpBlock declare(DeclareContext& ctx, const std::string& prefix);

  // The activations, kept inside (=); project() turns them into the block's output.
  //   x_ND (N, D) float32; measured where its maker was given input_amax(), a null view without eight-bit layers
  void forward(const RunContext& run, const ops::Fp8Source& x_ND) const;
  TensorView input_amax(const RunContext& run) const;
  //   out_ND (N, D) float32, =
  void project(const RunContext& run, TensorView out_ND) const;
  // The same added to base_ND (N, D), which may be out_ND.
  void project_onto(const RunContext& run, TensorView out_ND, ConstTensorView base_ND) const;

  // REQUIRES: forward() ran last on this slot with the same x_ND. Spends what it kept. Adds to the gradients of its
  // parameters.
  //   dx_ND   (N, D) float32, = or += per mode; must not alias dout
  //   dout_ND (N, D) float32, gradient of project()'s output
  void backward(const RunContext& run, TensorView dx_ND, ConstTensorView dout_ND, ConstTensorView x_ND,
                ops::WriteMode mode) const;

 private:
  void activate(const RunContext& run) const;
  const Linear& first_proj() const { return activation_ == Activation::kSwiglu ? gate_proj_ : up_proj_; }

  Activation activation_ = Activation::kXielu;
  ops::XieluConstants xielu_;
  Linear gate_proj_, up_proj_, down_proj_;
  Parameter alpha_p_, alpha_n_;
  bool remakes_ = false;
  TensorId gate_, up_, active_;
};

}  // namespace cairn::nn
