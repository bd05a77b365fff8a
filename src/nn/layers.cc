#include "nn/layers.h"

#include <utility>

#include "ops/embedding.h"
#include "ops/gemm.h"
#include "ops/rms_norm.h"

namespace cairn::nn {

TensorId DeclareContext::add(std::string name, Shape shape, Lifetime lifetime, DType dtype) {
  return plan.add({std::move(name), shape, dtype, lifetime});
}

Parameter DeclareContext::add_parameter(std::string name, Shape shape, Initialization initialization) {
  Parameter parameter{std::move(name), shape, initialization, {}, {}};
  parameter.weight = add(parameter.name, shape, Lifetime::kParameter);
  if (with_gradients) {
    parameter.gradient = add(parameter.name, shape, Lifetime::kGradient);
  }
  parameters.push_back(parameter);
  return parameter;
}

Linear Linear::declare(DeclareContext& ctx, const std::string& name, std::int64_t outputs,
                       std::int64_t inputs, Initialization initialization) {
  const Parameter parameter = ctx.add_parameter(name + ".weight", Shape{outputs, inputs}, initialization);
  return {parameter.weight, parameter.gradient};
}

void Linear::forward(const RunContext& run, TensorView y_NO, ConstTensorView x_NI,
                     ops::WriteMode mode) const {
  ops::linear_forward(run.ops, y_NO, x_NI, run.view(weight_), mode);
}

void Linear::backward_input(const RunContext& run, TensorView dx_NI, ConstTensorView dy_NO,
                            ops::WriteMode mode) const {
  ops::linear_backward_input(run.ops, dx_NI, dy_NO, run.view(weight_), mode);
}

void Linear::backward_weight(const RunContext& run, ConstTensorView dy_NO, ConstTensorView x_NI) const {
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

void RmsNorm::forward(const RunContext& run, TensorView y, ConstTensorView x) const {
  const Shape shape{run.num_rows() * groups_, width_};
  ops::rms_norm_forward(run.ops, y.reshape(shape), rstd(run), x.reshape(shape), run.view(weight_), eps_);
}

void RmsNorm::backward_input(const RunContext& run, TensorView dx, ConstTensorView dy, ConstTensorView x,
                             ops::WriteMode mode) const {
  const Shape shape{run.num_rows() * groups_, width_};
  ops::rms_norm_backward_input(run.ops, dx.reshape(shape), dy.reshape(shape), x.reshape(shape),
                               run.view(weight_), rstd(run), mode);
}

void RmsNorm::backward_weight(const RunContext& run, ConstTensorView dy, ConstTensorView x) const {
  const Shape shape{run.num_rows() * groups_, width_};
  ops::rms_norm_backward_weight(run.ops, run.view(gradient_), dy.reshape(shape), x.reshape(shape), rstd(run));
}

Embedding Embedding::declare(DeclareContext& ctx, const std::string& name) {
  const Parameter parameter = ctx.add_parameter(
      name + ".weight", Shape{ctx.config.vocab_size, ctx.config.hidden_size}, Initialization::kNormal);
  Embedding embedding;
  embedding.weight_ = parameter.weight;
  embedding.gradient_ = parameter.gradient;
  return embedding;
}

void Embedding::forward(const RunContext& run, TensorView out_ND, ConstTensorView ids_N) const {
  ops::embedding_forward(run.ops, out_ND, run.view(weight_), ids_N);
}

void Embedding::backward_weight(const RunContext& run, ConstTensorView dout_ND, ConstTensorView ids_N) const {
  ops::embedding_backward(run.ops, run.view(gradient_), dout_ND, ids_N);
}

}  // namespace cairn::nn
