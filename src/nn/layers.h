// The leaf modules of a decoder: linear, norm and embedding, and the two contexts that all modules use: one while
// declaring memory, one while running. A module holds tensor ids, never memory; it runs on one microbatch slot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device/memory.h"
#include "nn/fp8_linear.h"
#include "nn/model_config.h"
#include "nn/parameter.h"
#include "ops/attention.h"
#include "ops/op_context.h"
#include "tensor/plan.h"

namespace cairn::nn {

// Where a module declares its tensors.
struct DeclareContext {
  Plan& plan;
  const ModelConfig& config;
  std::vector<Parameter>& parameters;
  std::vector<Buffer>& buffers;
  std::int64_t B = 1;
  std::int64_t T = 0;
  std::int64_t cache_rows = 0;      // > 0: attention keeps a key/value cache
  DType compute = DType::kFloat32;  // of activations and of the matrices they meet
  bool is_on_gpu = false;
  bool with_gradients = false;                 // parameters get gradients, modules get backward scratch
  Lifetime inner = Lifetime::kScratch;         // of what a block keeps between its own forward and backward
  Fp8Layers* fp8 = nullptr;                    // where linear layers declared meanwhile compute in eight bits
  bool remakes = false;                        // backward makes again what needs no matrix product
  std::int64_t attention_workspace_bytes = 0;  // beyond what all ops have; 0: none
  std::int64_t num_rows() const { return B * T; }
  // Of a tensor that backward can make again from those of lifetime `inner`.
  Lifetime remade() const { return remakes ? Lifetime::kScratch : inner; }
  // Of such a tensor that backward needs as the input of linear layers alone: those in eight bits keep theirs rounded.
  Lifetime kept_input() const { return fp8 != nullptr ? Lifetime::kScratch : remade(); }

  TensorId add(std::string name, Shape shape, Lifetime lifetime, DType dtype = DType::kFloat32);
  // In the compute dtype.
  TensorId add_activation(std::string name, Shape shape, Lifetime lifetime);
  Parameter add_parameter(std::string name, Shape shape, Initialization initialization);
  // The same for a factor of matrix products, which are taken in the compute dtype.
  Parameter add_matrix(std::string name, Shape shape, Initialization initialization);
};

// What a module runs on: one microbatch (or one stretch of a cached sequence).
struct RunContext {
  ops::OpContext ops;
  const Memory& memory;
  int slot = 0;
  std::int64_t B = 1;
  std::int64_t T = 0;
  std::int64_t num_cached = 0;    // rows already in the key/value cache
  ConstTensorView ids_N{};        // (N) int32
  ConstTensorView positions_N{};  // (N) int32
  ops::AttentionMask mask{};
  ConstTensorView cos_PK{}, sin_PK{};
  std::int64_t num_rows() const { return B * T; }

  // The whole tensor, or its first `rows` rows (decoding uses fewer than were planned).
  TensorView view(TensorId id) const { return memory.view(id, slot); }
  TensorView rows(TensorId id) const { return view(id).rows(0, num_rows()); }
};

// y = x w^T without bias.
class Linear {
 public:
  Linear() = default;
  explicit Linear(const Parameter& parameter)
      : weight_(parameter.compute.is_valid() ? parameter.compute : parameter.weight),
        gradient_(parameter.gradient) {}
  // `leader`: a layer of the same input, or null.
  static Linear declare(DeclareContext& ctx, const std::string& name, std::int64_t outputs,
                        std::int64_t inputs, Initialization initialization, const Linear* leader = nullptr);

  // What a layer in eight bits rounds before its products; other layers do nothing here. round_input() of the leader comes before
  // forward() of all its layers, round_gradient() before the two products of backward.
  void round_input(const RunContext& run, const ops::Fp8Source& x_NI) const;
  void round_gradient(const RunContext& run, const ops::Fp8Source& dy_NO) const;
  // Where the op that makes x_NI or dy_NO leaves its largest magnitude for a source that is measured; null views without eight bits.
  TensorView input_amax(const RunContext& run) const;
  TensorView gradient_amax(const RunContext& run) const;
  bool is_fp8() const { return fp8_.is_on(); }

  // In eight bits x_NI and dy_NO are taken as they were rounded, not looked at.
  //   y_NO (N, O), x_NI (N, I) in the compute dtype; = or += per mode
  void forward(const RunContext& run, TensorView y_NO, ConstTensorView x_NI, ops::WriteMode mode) const;
  // y = base + x w^T; base_NO (N, O), may be y
  void forward_onto(const RunContext& run, TensorView y_NO, ConstTensorView base_NO,
                    ConstTensorView x_NI) const;
  void backward_weight(const RunContext& run, ConstTensorView dy_NO, ConstTensorView x_NI) const;  // +=
  void backward_input(const RunContext& run, TensorView dx_NI, ConstTensorView dy_NO,
                      ops::WriteMode mode) const;

 private:
  TensorId weight_;  // what products are taken with
  TensorId gradient_;
  Fp8Linear fp8_;
};

// RMS norm over rows of `width` numbers; a tensor of N rows holds N * groups of them (groups > 1: one per head).
class RmsNorm {
 public:
  RmsNorm() = default;
  static RmsNorm declare(DeclareContext& ctx, const std::string& name, std::int64_t width,
                         std::int64_t groups);

  //   y, x (N, groups * width) float32; y may alias x unless backward follows
  //   amax (1) = the largest |y|, or a null view
  void forward(const RunContext& run, TensorView y, ConstTensorView x, TensorView amax = {}) const;
  //   dx = or += per mode; may alias dy; x is the forward's input. Adds to the gradient of its weight.
  void backward(const RunContext& run, TensorView dx, ConstTensorView dy, ConstTensorView x,
                ops::WriteMode mode) const;
  // The same for heads that are rotated behind the norm: y and x (N, groups * width), y no alias of x; dheads holds the
  // gradient of y on entry and that of x afterwards; amax (1) = its largest magnitude, or a null view.
  void forward_rotated(const RunContext& run, TensorView y, ConstTensorView x) const;
  void backward_rotated(const RunContext& run, TensorView dheads, ConstTensorView x, TensorView amax) const;

 private:
  TensorView rstd(const RunContext& run) const;
  Shape heads(const RunContext& run) const { return {run.num_rows(), groups_, width_}; }
  TensorId weight_, gradient_, rstd_;
  std::int64_t width_ = 0;
  std::int64_t groups_ = 1;
  float eps_ = 0.0F;
};

// Token embedding; its matrix may also be the output head's (tied).
class Embedding {
 public:
  Embedding() = default;
  static Embedding declare(DeclareContext& ctx, const std::string& name);

  //   out_ND (N, D) float32 = ; ids_N (N) int32
  void forward(const RunContext& run, TensorView out_ND, ConstTensorView ids_N) const;
  void backward_weight(const RunContext& run, ConstTensorView dout_ND, ConstTensorView ids_N) const;  // +=

  Linear tied_head() const { return Linear(parameter_); }

 private:
  Parameter parameter_;
};

}  // namespace cairn::nn
