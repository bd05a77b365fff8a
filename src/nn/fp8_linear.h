// The eight-bit side of a linear layer: weights rounded to E4M3 once per update, inputs to E4M3 in forward, gradients of
// outputs to E5M2 in backward, each with one scale from its largest magnitude (ops/fp8.h). Weights and their gradients
// stay float32, outputs and gradients of inputs bfloat16.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/parameter.h"
#include "ops/fp8.h"
#include "tensor/plan.h"

namespace cairn::nn {

struct DeclareContext;
struct RunContext;

// A rounded tensor in the plan: as it lies, transposed, and its scale.
struct Fp8Ids {
  TensorId rows, columns, scale;
};

// What all eight-bit layers of a model pass through, one after the other.
struct Fp8Scratch {
  Fp8Ids ids;  // flat, for the widest layer
  static Fp8Scratch declare(DeclareContext& ctx, std::int64_t widest);
};

class Fp8Linear {
 public:
  Fp8Linear() = default;
  // `leader`: a layer of the same input, or null. Its rounded input serves both.
  static Fp8Linear declare(DeclareContext& ctx, const Parameter& weight, const Fp8Linear* leader);
  bool is_on() const { return weight_.scale.is_valid(); }

  // From the float32 weight; after every change of it.
  void round_weight(const RunContext& run) const;
  // What forward() multiplies, and backward_weight(); of a leader only. Forward of all its layers comes before the next round_input()
  // of any layer: they share a scratch.
  void round_input(const RunContext& run, const ops::Fp8Source& x_NI) const;
  // What the two products of backward multiply, until the next round_gradient() of any layer.
  void round_gradient(const RunContext& run, const ops::Fp8Source& dy_NO) const;
  // Where the op that makes x or dy leaves its largest magnitude, right before round_input() or round_gradient().
  TensorView input_amax(const RunContext& run) const;
  TensorView gradient_amax(const RunContext& run) const;

  // y = base + x w^T, where base may be a null view
  void forward(const RunContext& run, TensorView y_NO, ConstTensorView base_NO) const;
  void backward_weight(const RunContext& run) const;  // +=
  void backward_input(const RunContext& run, TensorView dx_NI, ConstTensorView base_NI) const;

 private:
  ops::Fp8Tensor rounded_input(const RunContext& run) const;
  ops::Fp8Tensor rounded_gradient(const RunContext& run) const;
  ops::Fp8Tensor in_scratch(const RunContext& run, TensorId flat, std::int64_t rows, std::int64_t columns,
                            TensorId scale, ops::Fp8Format format) const;

  std::int64_t inputs_ = 0, outputs_ = 0;
  TensorId master_, gradient_;
  Fp8Ids weight_;
  Fp8Ids input_;    // rows pass through the scratch, columns are kept for backward
  Fp8Ids scratch_;  // through which gradients pass
  bool is_leader_ = true;
};

// The eight-bit layers of a model.
struct Fp8Layers {
  Fp8Scratch scratch;
  std::vector<Fp8Linear> linears;
};

}  // namespace cairn::nn
