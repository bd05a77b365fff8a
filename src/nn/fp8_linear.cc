#include "nn/fp8_linear.h"

#include "nn/layers.h"

namespace cairn::nn {
namespace {

using ops::Fp8Format;
using ops::Fp8Sums;
using ops::Fp8Tensor;

TensorId add_bytes(DeclareContext& ctx, const std::string& name, Shape shape, Lifetime lifetime) {
  return ctx.add(name, shape, lifetime, DType::kUint8);
}

ops::ConstFp8Tensor as_const(const Fp8Tensor& tensor) {
  return {tensor.elements, tensor.scale, tensor.format};
}

}  // namespace

Fp8Scratch Fp8Scratch::declare(DeclareContext& ctx, std::int64_t widest) {
  Fp8Scratch scratch;
  const Shape flat{ctx.num_rows() * widest};
  scratch.ids.rows = add_bytes(ctx, "fp8.rows", flat, Lifetime::kScratch);
  scratch.ids.columns = add_bytes(ctx, "fp8.columns", flat, Lifetime::kScratch);
  scratch.ids.scale = ctx.add("fp8.scale", Shape{2}, Lifetime::kScratch);
  return scratch;
}

Fp8Linear Fp8Linear::declare(DeclareContext& ctx, const Parameter& weight, const Fp8Linear* leader) {
  Fp8Linear linear;
  linear.outputs_ = weight.shape.dim(0);
  linear.inputs_ = weight.shape.dim(1);
  linear.master_ = weight.weight;
  linear.gradient_ = weight.gradient;
  linear.scratch_ = ctx.fp8->scratch.ids;
  linear.weight_.rows = add_bytes(ctx, weight.name + " as fp8", weight.shape, Lifetime::kParameter);
  linear.weight_.columns = add_bytes(ctx, weight.name + " transposed as fp8",
                                     Shape{linear.inputs_, linear.outputs_}, Lifetime::kParameter);
  linear.weight_.scale = ctx.add(weight.name + " scale", Shape{2}, Lifetime::kParameter);
  linear.is_leader_ = leader == nullptr;
  if (leader != nullptr) {
    CHECK(leader->inputs_ == linear.inputs_, "layers of one input");
    linear.input_ = leader->input_;
  } else {
    linear.input_.rows = linear.scratch_.rows;
    linear.input_.columns = add_bytes(ctx, weight.name + " input transposed as fp8",
                                      Shape{linear.inputs_, ctx.num_rows()}, ctx.inner);
    linear.input_.scale = ctx.add(weight.name + " input scale", Shape{2}, ctx.inner);
  }
  ctx.fp8->linears.push_back(linear);
  return linear;
}

Fp8Tensor Fp8Linear::in_scratch(const RunContext& run, TensorId flat, std::int64_t rows, std::int64_t columns,
                                TensorId scale, Fp8Format format) const {
  return {run.view(flat).rows(0, rows * columns).reshape(Shape{rows, columns}), run.view(scale), format};
}

void Fp8Linear::round_weight(const RunContext& run) const {
  const TensorView scale = run.view(weight_.scale);
  ops::fp8_round(run.ops, {run.view(weight_.rows), scale}, {run.view(weight_.columns), scale},
                 run.view(master_));
}

Fp8Tensor Fp8Linear::rounded_input(const RunContext& run) const {
  return in_scratch(run, input_.rows, run.num_rows(), inputs_, input_.scale, Fp8Format::kE4M3);
}

Fp8Tensor Fp8Linear::rounded_gradient(const RunContext& run) const {
  return in_scratch(run, scratch_.rows, run.num_rows(), outputs_, scratch_.scale, Fp8Format::kE5M2);
}

TensorView Fp8Linear::input_amax(const RunContext& run) const {
  return rounded_input(run).amax();
}

TensorView Fp8Linear::gradient_amax(const RunContext& run) const {
  return rounded_gradient(run).amax();
}

void Fp8Linear::round_input(const RunContext& run, const ops::Fp8Source& x_NI) const {
  CHECK(is_leader_, "the leader's input serves its layers");
  const Fp8Tensor rows = rounded_input(run);
  ops::fp8_round(run.ops, rows, {run.view(input_.columns), rows.scale, rows.format}, x_NI);
}

void Fp8Linear::round_gradient(const RunContext& run, const ops::Fp8Source& dy_NO) const {
  ops::fp8_round(
      run.ops, rounded_gradient(run),
      in_scratch(run, scratch_.columns, outputs_, run.num_rows(), scratch_.scale, Fp8Format::kE5M2), dy_NO);
}

void Fp8Linear::forward(const RunContext& run, TensorView y_NO, ConstTensorView base_NO) const {
  ops::fp8_multiply(run.ops, y_NO, base_NO, as_const(rounded_input(run)),
                    {run.view(weight_.rows), run.view(weight_.scale)}, Fp8Sums::kFast);
}

void Fp8Linear::backward_weight(const RunContext& run) const {
  const Fp8Tensor columns =
      in_scratch(run, scratch_.columns, outputs_, run.num_rows(), scratch_.scale, Fp8Format::kE5M2);
  const TensorView gradient = run.view(gradient_);
  ops::fp8_multiply(run.ops, gradient, gradient, as_const(columns),
                    {run.view(input_.columns), run.view(input_.scale)}, Fp8Sums::kExact);
}

void Fp8Linear::backward_input(const RunContext& run, TensorView dx_NI, ConstTensorView base_NI) const {
  ops::fp8_multiply(run.ops, dx_NI, base_NI, as_const(rounded_gradient(run)),
                    {run.view(weight_.columns), run.view(weight_.scale)}, Fp8Sums::kExact);
}

}  // namespace cairn::nn
