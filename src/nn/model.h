// A decoder language model as planned modules: declare everything to a Plan, bind() to the Memory made from it,
// then run forward and backward on microbatch slots. Nothing here allocates after bind().
// Parameters are known by their Hugging Face name, never by position. One thread calls; the ThreadPool works.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "device/memory.h"
#include "device/thread_pool.h"
#include "nn/initialize.h"
#include "nn/model_config.h"
#include "nn/parameter.h"
#include "tensor/batch.h"
#include "tensor/plan.h"

namespace cairn::nn {

// What each block keeps from forward to backward. Results are bitwise the same under every policy.
// kSelective makes again what costs no matrix product: outputs of norms, rotated heads, activations (Korthikanti et al.
// 2022, arXiv:2205.05198, do so with attention, which keeps nothing of its own here).
// kFull keeps the input of each block only and runs its forward again in backward.
enum class SavePolicy : std::uint8_t { kAll, kSelective, kFull };

struct ModelShape {
  std::int64_t batch = 1;     // B, sequences in a microbatch
  std::int64_t sequence = 0;  // T
  int num_threads = 1;        // sizes the ops' workspace
  SavePolicy save_policy = SavePolicy::kAll;
  // On a GPU activations and the factors of matrix products may be bfloat16; weights and gradients stay float32.
  DeviceKind device = DeviceKind::kCpu;
  DType compute = DType::kFloat32;
  // Two runs have the same bits. On a GPU attention is faster without, most of all over packed documents.
  bool deterministic = true;
  // Products of the linear layers of the blocks in eight bits (ops/fp8.h); on a GPU in bfloat16, all sizes multiples of 16.
  bool fp8 = false;
};

class Model {
 public:
  Model();
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  // Parameters, gradients, saved activations (per slot) and scratch.  REQUIRES: a valid configuration.
  static Model declare_training(const ModelConfig& config, const ModelShape& shape, Plan& plan);
  // Parameters and scratch only: evaluate() and logits(). shape.save_policy is ignored.
  static Model declare_evaluation(const ModelConfig& config, const ModelShape& shape, Plan& plan);
  // Parameters, scratch for up to shape.sequence rows at once (shape.batch must be 1), and a key/value cache of
  // `cache_rows` rows per layer: decode().
  static Model declare_inference(const ModelConfig& config, const ModelShape& shape, std::int64_t cache_rows,
                                 Plan& plan);

  const ModelConfig& config() const;
  // In the order in which the forward pass uses them (embedding, layers 0.., norm, head).
  std::span<const Parameter> parameters() const;
  // Constants that checkpoints of this model carry (xIELU's beta and eps per layer); empty for most types.
  std::span<const Buffer> buffers() const;

  // On a GPU: starts to make the plans of attention, which takes a second or two, in a thread of the device. bind() does it
  // where it was not done; called as soon as the device is open it runs beside the rest of a start. The first pass over a
  // batch waits for the plans that it needs. `stored_plans`: ops::new_attention_plans() of another run, or nothing; what does not
  // fit is not used.
  void prepare(CudaDevice& device, std::string stored_plans = {});

  // After this the model works on `memory`, which must outlive it, with `pool`. Fills the RoPE tables. Weights
  // are not touched. On a GPU batches lie in pinned host memory (Lifetime::kIo), results are there after
  // CudaDevice::synchronize().  REQUIRES: memory on shape.device; pool.num_threads() <= shape.num_threads.
  void bind(const Memory& memory, ThreadPool& pool);

  // After bind(): what attention runs on, "cuDNN 9.14.0" or "own kernels" and why. Waits for its plans. Empty on the CPU.
  std::string attention_engine() const;
  // Phases of a microbatch that were recorded as CUDA graphs so far: once they have run.
  int num_graphs() const;

  // Rounds the weights to the copies that products are taken with. Call after weights were read or initialised;
  // the optimizer keeps the copies from then on. Does nothing where products are taken in float32.
  void round_weights();
  // The part of it that the optimizer does not keep: eight-bit weights. After every update; does nothing without them.
  void round_weights_to_fp8();

  // Training (declare_training). Runs the whole forward pass of one microbatch, and of the output head the
  // backward pass too: logits exist for a fixed number of rows at a time and once only. Therefore the gradient
  // of the objective by each loss is wanted here (it follows from mask and reduction, not from the losses).
  // Adds (+=) to the gradients of lm_head (embed_tokens when tied) and of the last norm; keeps in `slot` what
  // backward() needs.
  //   loss_BT   (B, T) float32  = ; nats per position, 0 where the mask is 0
  //   dloss_BT  (B, T) float32  gradient of the objective by each loss; 0 where the mask is 0
  void forward(const BatchView& batch, int slot, TensorView loss_BT, ConstTensorView dloss_BT);
  // REQUIRES: forward() ran on this slot with the same batch, and backward() has not since.
  // Adds (+=) to the gradients of all other parameters.
  void backward(const BatchView& batch, int slot);

  // Forward only. In a training plan these overwrite slot 0: no microbatch may be in flight there.
  //   loss_BT       (B, T) float32  = ; as in forward()
  //   predicted_BT  (B, T) int32    = ; the id of the largest logit, the lowest one on ties; or a null view
  void evaluate(const BatchView& batch, TensorView loss_BT, TensorView predicted_BT);
  //   logits_NV     (B*T, V) float32  = ; targets and mask of the batch are not read
  void logits(const BatchView& batch, TensorView logits_NV);

  // Inference (declare_inference). Appends tokens to the cache at row `num_cached` and writes the logits of the
  // last one. The bits do not depend on how a prompt is cut into calls.
  //   tokens_T  (T) int32, T <= shape.sequence, num_cached + T <= cache_rows, ids in [0, V)
  //   logits_V  (V) float32  =
  void decode(ConstTensorView tokens_T, std::int64_t num_cached, TensorView logits_V);
  std::int64_t cache_rows() const;
  std::int64_t max_decode_rows() const;  // shape.sequence

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::nn
