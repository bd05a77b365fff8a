// The leaf modules of a decoder: linear, norm and embedding, and the two contexts that all modules use: one while
// declaring memory, one while running. A module holds tensor ids, never memory; it runs on one microbatch slot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device/memory.h"
#include "nn/model_config.h"
#include "nn/parameter.h"
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
  std::int64_t cache_rows = 0;          // > 0: attention keeps a key/value cache
  bool with_gradients = false;          // parameters get gradients, modules get backward scratch
  Lifetime inner = Lifetime::kScratch;  // of what a block keeps between its own forward and backward
  std::int64_t num_rows() const { return B * T; }

  TensorId add(std::string name, Shape shape, Lifetime lifetime, DType dtype = DType::kFloat32);
  Parameter add_parameter(std::string name, Shape shape, Initialization initialization);
};

// What a module runs on: one microbatch (or one stretch of a cached sequence).
struct RunContext {
  ops::OpContext ops;
  const Memory& memory;
  int slot = 0;
  std::int64_t B = 1;
  std::int64_t T = 0;
  std::int64_t num_cached = 0;     // rows already in the key/value cache
  ConstTensorView positions_N{};   // (N) int32
  ConstTensorView first_key_BT{};  // (B, T) int32 or null
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
  Linear(TensorId weight, TensorId gradient) : weight_(weight), gradient_(gradient) {}
  static Linear declare(DeclareContext& ctx, const std::string& name, std::int64_t outputs,
                        std::int64_t inputs, Initialization initialization);

  //   y_NO (N, O), x_NI (N, I), all float32; = or += per mode
  void forward(const RunContext& run, TensorView y_NO, ConstTensorView x_NI, ops::WriteMode mode) const;
  void backward_input(const RunContext& run, TensorView dx_NI, ConstTensorView dy_NO,
                      ops::WriteMode mode) const;
  void backward_weight(const RunContext& run, ConstTensorView dy_NO, ConstTensorView x_NI) const;  // +=

 private:
  TensorId weight_, gradient_;
};

// RMS norm over rows of `width` numbers; a tensor of N rows holds N * groups of them (groups > 1: one per head).
class RmsNorm {
 public:
  RmsNorm() = default;
  static RmsNorm declare(DeclareContext& ctx, const std::string& name, std::int64_t width,
                         std::int64_t groups);

  //   y, x (N, groups * width) float32; y may alias x unless backward follows
  void forward(const RunContext& run, TensorView y, ConstTensorView x) const;
  //   dx = or += per mode; may alias dy; x is the forward's input
  void backward_input(const RunContext& run, TensorView dx, ConstTensorView dy, ConstTensorView x,
                      ops::WriteMode mode) const;
  void backward_weight(const RunContext& run, ConstTensorView dy, ConstTensorView x) const;  // +=

 private:
  TensorView rstd(const RunContext& run) const;
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

  Linear tied_head() const { return {weight_, gradient_}; }

 private:
  TensorId weight_, gradient_;
};

}  // namespace cairn::nn
