// The end of a decoder: last norm, output projection, cross entropy. Logits exist for kLmHeadRows rows at a time.
//
// In training each chunk runs forward and backward at once: logits are computed once, turned into their gradient
// in place, and spent on the weight's and the hidden states' gradients. The price is a scratch chunk of logits and that
// the gradient by each loss must be known beforehand. On the CPU no number depends on the chunk: rows are independent,
// and weight gradients add in row order. On a GPU products of other sizes may round otherwise, so that the chunk
// follows from sizes alone, never from what else is in memory.
#pragma once

#include "nn/layers.h"

namespace cairn::nn {

inline constexpr std::int64_t kLmHeadRows = 512;
// Each chunk reads and writes the whole gradient of the weight, which a GPU must not do often: its logits take up to so
// many bytes. They lie where the scratch of the blocks, which is dead then, lies too: of 8,192 rows of 4,096 numbers that
// is 832 MiB under selective recomputation, so that the head adds 192 MiB to such a plan.
inline constexpr std::int64_t kLmHeadBytesGpu = std::int64_t{1} << 30;
inline constexpr std::int64_t kLmHeadTileGpu = 128;  // rows of a chunk are a multiple of

// Rows of logits that exist at once, of `num_rows` in all: equal chunks, as few as the bytes allow.
std::int64_t lm_head_chunk_rows(std::int64_t num_rows, std::int64_t row_bytes, bool is_on_gpu);

class LmHead {
 public:
  LmHead() = default;
  // Declares "model.norm" and, unless the configuration ties it to `embedding`, "lm_head".
  static LmHead declare(DeclareContext& ctx, const Embedding& embedding);

  // dx_ND is the gradient by x_ND (=, must not alias it: it holds the norm's output meanwhile); adds to the gradients of the head's and the norm's weights.
  //   x_ND (N, D); loss_N (N) = ; dloss_N (N); targets_N (N) int32, mask_N (N) float32 as in the batch
  struct Targets {
    ConstTensorView targets_N, mask_N, dloss_N;
    TensorView loss_N;
  };
  void forward_backward(const RunContext& run, TensorView dx_ND, ConstTensorView x_ND,
                        const Targets& targets) const;

  // Both replace x_ND by the norm's output.
  // Losses (=) and, unless predicted_N is null, the id of each row's largest logit (=, int32; lowest on ties).
  void evaluate(const RunContext& run, TensorView x_ND, const Targets& targets, TensorView predicted_N) const;
  //   logits (rows, V) = of the rows from first_row on, all others are not computed
  void logits(const RunContext& run, TensorView logits, TensorView x_ND, std::int64_t first_row) const;

 private:
  std::int64_t chunk_ = 0;  // rows
  RmsNorm norm_;
  Linear projection_;
  TensorId logits_;  // (chunk rows, V)
  TensorId lse_;     // (chunk rows); of evaluations
};

}  // namespace cairn::nn
