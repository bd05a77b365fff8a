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
  linear.rounds_input_ = leader == nullptr;
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

void Fp8Linear::forward(const RunContext& run, TensorView y_NO, ConstTensorView x_NI,
                        ops::WriteMode mode) const {
  const std::int64_t N = run.num_rows();
  const Fp8Tensor rows = in_scratch(run, input_.rows, N, inputs_, input_.scale, Fp8Format::kE4M3);
  if (rounds_input_) {
    ops::fp8_round(run.ops, rows, {run.view(input_.columns), rows.scale}, x_NI);
  }
  ops::fp8_multiply(run.ops, y_NO, as_const(rows), {run.view(weight_.rows), run.view(weight_.scale)},
                    Fp8Sums::kFast, mode);
}

void Fp8Linear::backward_weight(const RunContext& run, ConstTensorView dy_NO) const {
  const std::int64_t N = run.num_rows();
  const Fp8Tensor rows = in_scratch(run, scratch_.rows, N, outputs_, scratch_.scale, Fp8Format::kE5M2);
  const Fp8Tensor columns = in_scratch(run, scratch_.columns, outputs_, N, scratch_.scale, Fp8Format::kE5M2);
  ops::fp8_round(run.ops, rows, columns, dy_NO);
  ops::fp8_multiply(run.ops, run.view(gradient_), as_const(columns),
                    {run.view(input_.columns), run.view(input_.scale)}, Fp8Sums::kExact,
                    ops::WriteMode::kAdd);
}

void Fp8Linear::backward_input(const RunContext& run, TensorView dx_NI, ops::WriteMode mode) const {
  const Fp8Tensor rows =
      in_scratch(run, scratch_.rows, run.num_rows(), outputs_, scratch_.scale, Fp8Format::kE5M2);
  ops::fp8_multiply(run.ops, dx_NI, as_const(rows), {run.view(weight_.columns), run.view(weight_.scale)},
                    Fp8Sums::kExact, mode);
}

}  // namespace cairn::nn
