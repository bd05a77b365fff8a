// A decoder language model as planned modules: declare() everything to a Plan, bind() to the Memory made
// from it, then run forward and backward on microbatch slots. Nothing here allocates after bind().
// Parameters are known by their Hugging Face name, never by position.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "device/memory.h"
#include "nn/model_config.h"
#include "ops/op_context.h"
#include "tensor/batch.h"
#include "tensor/plan.h"

namespace cairn::nn {

enum class Initialization : std::uint8_t { kNormal, kNormalScaledByDepth, kOnes, kXieluAlphaP, kXieluAlphaN };

struct Parameter {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  Shape shape;
  Initialization initialization = Initialization::kNormal;
  TensorId weight;
  TensorId gradient;  // invalid in an inference plan
};

// What each block keeps from forward to backward. Results are bitwise the same under every policy.
enum class SavePolicy : std::uint8_t { kAll, kRecomputeBlock };

struct ModelShape {
  std::int64_t batch = 1;     // B, sequences in a microbatch
  std::int64_t sequence = 0;  // T
  int num_threads = 1;        // sizes the ops' workspace
  SavePolicy save_policy = SavePolicy::kAll;
};

class Model {
 public:
  Model();
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  // Declares parameters, gradients, saved activations and scratch.  REQUIRES: a valid configuration.
  static Model declare_training(const ModelConfig& config, const ModelShape& shape, Plan& plan);
  // Parameters, scratch for up to shape.sequence rows at once, and a key/value cache of `cache_rows` rows.
  static Model declare_inference(const ModelConfig& config, const ModelShape& shape, std::int64_t cache_rows,
                                 Plan& plan);

  const ModelConfig& config() const;
  // In the order in which the forward pass uses them (embedding, layers 0.., norm, head).
  std::span<const Parameter> parameters() const;

  // After this the model works on `memory`, which must outlive it. Fills RoPE tables. Weights are not touched.
  void bind(const Memory& memory, ThreadPool& pool);

  // Training. Runs the decoder on one microbatch; keeps in `slot` what backward needs.
  //   loss_BT  (B, T) float32  = ; nats per position, 0 where the mask is 0
  void forward(const BatchView& batch, int slot, TensorView loss_BT);
  // REQUIRES: forward ran on this slot with the same batch. Adds to every parameter's gradient.
  //   dloss_BT (B, T) float32: gradient of the objective by each position's loss (0 where masked)
  void backward(const BatchView& batch, int slot, ConstTensorView dloss_BT);
  // The logits of the last forward's final hidden states; for parity and evaluation, not for training.
  //   logits_NV (B*T, V) float32 =
  void logits(int slot, TensorView logits_NV);

  // Inference. Appends tokens_T (T <= shape.sequence, int32) at cache row `num_cached` and writes the logits of
  // the last one.   logits_V (V) float32 =
  void decode(ConstTensorView tokens_T, std::int64_t num_cached, TensorView logits_V);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Fills every weight: normal(0, initializer_range) for matrices and embeddings, o_proj and down_proj scaled by
// 1/sqrt(2 L), norms 1, xIELU scalars so that alpha_p = alpha_n = 0.8. Counter-based: keyed by (seed, parameter
// name, element), so independent of layout and order.
void initialize_weights(std::span<const Parameter> parameters, const Memory& memory,
                        const ModelConfig& config, std::uint64_t seed);

}  // namespace cairn::nn
