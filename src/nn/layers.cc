#include "nn/layers.h"

#include <utility>

#include "ops/embedding.h"
#include "ops/gemm.h"
#include "ops/norm_rope.h"
#include "ops/rms_norm.h"

namespace cairn::nn {
TensorId DeclareContext::add(std::string name, Shape shape, Lifetime lifetime, DType dtype) {
  return plan.add({std::move(name), shape, dtype, lifetime});
}

Parameter DeclareContext::add_parameter(std::string name, Shape shape, Initialization initialization) {
  Parameter parameter{std::move(name), shape, initialization, {}, {}, {}};
  parameter.weight = add(parameter.name, shape, Lifetime::kParameter);
  if (with_gradients) {
    parameter.gradient = add(parameter.name, shape, Lifetime::kGradient);
  }
  parameters.push_back(parameter);
  return parameter;
}

TensorId DeclareContext::add_activation(std::string name, Shape shape, Lifetime lifetime) {
  return add(std::move(name), shape, lifetime, compute);
}

Parameter DeclareContext::add_matrix(std::string name, Shape shape, Initialization initialization) {
  Parameter parameter = add_parameter(std::move(name), shape, initialization);
  if (compute != DType::kFloat32) {
    parameter.compute =
        add(parameter.name + " as " + std::string(dtype_name(compute)), shape, Lifetime::kParameter, compute);
    parameters.back() = parameter;
  }
  return parameter;
}

Linear Linear::declare(DeclareContext& ctx, const std::string& name, std::int64_t outputs,
                       std::int64_t inputs, Initialization initialization, const Linear* leader) {
  const Shape shape{outputs, inputs};
  if (ctx.fp8 == nullptr) {
    return Linear(ctx.add_matrix(name + ".weight", shape, initialization));
  }
  const Parameter parameter = ctx.add_parameter(name + ".weight", shape, initialization);
  Linear linear(parameter);
  linear.fp8_ = Fp8Linear::declare(ctx, parameter, leader == nullptr ? nullptr : &leader->fp8_);
  return linear;
}

void Linear::round_input(const RunContext& run, const ops::Fp8Source& x_NI) const {
  if (fp8_.is_on()) {
    fp8_.round_input(run, x_NI);
  }
}

void Linear::round_gradient(const RunContext& run, const ops::Fp8Source& dy_NO) const {
  if (fp8_.is_on()) {
    fp8_.round_gradient(run, dy_NO);
  }
}

TensorView Linear::input_amax(const RunContext& run) const {
  return fp8_.is_on() ? fp8_.input_amax(run) : TensorView();
}

TensorView Linear::gradient_amax(const RunContext& run) const {
  return fp8_.is_on() ? fp8_.gradient_amax(run) : TensorView();
}

void Linear::forward(const RunContext& run, TensorView y_NO, ConstTensorView x_NI,
                     ops::WriteMode mode) const {
  if (fp8_.is_on()) {
    fp8_.forward(run, y_NO, ops::base_of(y_NO, mode));
    return;
  }
  ops::linear_forward(run.ops, y_NO, x_NI, run.view(weight_), mode);
}

void Linear::forward_onto(const RunContext& run, TensorView y_NO, ConstTensorView base_NO,
                          ConstTensorView x_NI) const {
  if (fp8_.is_on()) {
    fp8_.forward(run, y_NO, base_NO);
    return;
  }
  ops::linear_forward_onto(run.ops, y_NO, base_NO, x_NI, run.view(weight_));
}

void Linear::backward_input(const RunContext& run, TensorView dx_NI, ConstTensorView dy_NO,
                            ops::WriteMode mode) const {
  if (fp8_.is_on()) {
    fp8_.backward_input(run, dx_NI, ops::base_of(dx_NI, mode));
    return;
  }
  ops::linear_backward_input(run.ops, dx_NI, dy_NO, run.view(weight_), mode);
}

void Linear::backward_weight(const RunContext& run, ConstTensorView dy_NO, ConstTensorView x_NI) const {
  if (fp8_.is_on()) {
    fp8_.backward_weight(run);
    return;
  }
  ops::linear_backward_weight(run.ops, run.view(gradient_), dy_NO, x_NI);
}

RmsNorm RmsNorm::declare(DeclareContext& ctx, const std::string& name, std::int64_t width,
                         std::int64_t groups) {
  RmsNorm norm;
  const Parameter parameter = ctx.add_parameter(name + ".weight", Shape{width}, Initialization::kOnes);
  norm.weight_ = parameter.weight;
  norm.gradient_ = parameter.gradient;
  norm.rstd_ = ctx.add(name + ".rstd", Shape{ctx.num_rows() * groups}, ctx.inner);
  norm.width_ = width;
  norm.groups_ = groups;
  norm.eps_ = static_cast<float>(ctx.config.rms_norm_eps);
  return norm;
}

TensorView RmsNorm::rstd(const RunContext& run) const {
  return run.view(rstd_).rows(0, run.num_rows() * groups_);
}

void RmsNorm::forward(const RunContext& run, TensorView y, ConstTensorView x, TensorView amax) const {
  const Shape shape{run.num_rows() * groups_, width_};
  ops::rms_norm_forward(run.ops, y.reshape(shape), rstd(run), x.reshape(shape), run.view(weight_), eps_,
                        amax);
}

void RmsNorm::backward(const RunContext& run, TensorView dx, ConstTensorView dy, ConstTensorView x,
                       ops::WriteMode mode) const {
  const Shape shape{run.num_rows() * groups_, width_};
  ops::rms_norm_backward(run.ops, {dx.reshape(shape), run.view(gradient_), dy.reshape(shape),
                                   x.reshape(shape), run.view(weight_), rstd(run), mode});
}

void RmsNorm::forward_rotated(const RunContext& run, TensorView y, ConstTensorView x) const {
  ops::norm_rope_forward(run.ops, y.reshape(heads(run)), rstd(run), x.reshape(heads(run)), run.view(weight_),
                         {run.positions_N, run.cos_PK, run.sin_PK}, eps_);
}

void RmsNorm::backward_rotated(const RunContext& run, TensorView dheads, ConstTensorView x,
                               TensorView amax) const {
  ops::norm_rope_backward(run.ops, {dheads.reshape(heads(run)),
                                    run.view(gradient_),
                                    x.reshape(heads(run)),
                                    run.view(weight_),
                                    rstd(run),
                                    {run.positions_N, run.cos_PK, run.sin_PK},
                                    amax});
}

Embedding Embedding::declare(DeclareContext& ctx, const std::string& name) {
  const Shape shape{ctx.config.vocab_size, ctx.config.hidden_size};
  Embedding embedding;
  // Rows are looked up in float32; only a tied head multiplies with the matrix.
  embedding.parameter_ = ctx.config.tie_word_embeddings
                             ? ctx.add_matrix(name + ".weight", shape, Initialization::kNormal)
                             : ctx.add_parameter(name + ".weight", shape, Initialization::kNormal);
  return embedding;
}

void Embedding::forward(const RunContext& run, TensorView out_ND, ConstTensorView ids_N) const {
  ops::embedding_forward(run.ops, out_ND, run.view(parameter_.weight), ids_N);
}

void Embedding::backward_weight(const RunContext& run, ConstTensorView dout_ND, ConstTensorView ids_N) const {
  ops::embedding_backward(run.ops, run.view(parameter_.gradient), dout_ND, ids_N);
}

}  // namespace cairn::nn
