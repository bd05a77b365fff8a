#include "nn/lm_head.h"

#include <algorithm>

#include "ops/cross_entropy.h"

namespace cairn::nn {
namespace {

using ops::WriteMode;

}  // namespace

std::int64_t lm_head_chunk_rows(std::int64_t num_rows, std::int64_t row_bytes, bool is_on_gpu) {
  if (!is_on_gpu) {
    return std::min(num_rows, kLmHeadRows);
  }
  const std::int64_t most = std::max(kLmHeadBytesGpu / row_bytes, kLmHeadTileGpu);
  const std::int64_t chunks = (num_rows + most - 1) / most;
  const std::int64_t per_chunk = (num_rows + chunks - 1) / chunks;
  return std::min(num_rows, (per_chunk + kLmHeadTileGpu - 1) / kLmHeadTileGpu * kLmHeadTileGpu);
}

LmHead LmHead::declare(DeclareContext& ctx, const Embedding& embedding) {
  const ScratchScope scope(ctx.plan);
  const std::int64_t D = ctx.config.hidden_size;
  const std::int64_t V = ctx.config.vocab_size;
  const std::int64_t chunk = lm_head_chunk_rows(ctx.num_rows(), V * dtype_size(ctx.compute), ctx.is_on_gpu);
  // Nothing of the head outlives its forward, which is its backward too.
  const Lifetime inner = ctx.inner;
  ctx.inner = Lifetime::kScratch;
  LmHead head;
  head.chunk_ = chunk;
  head.norm_ = RmsNorm::declare(ctx, "model.norm", D, 1);
  ctx.inner = inner;
  head.projection_ = ctx.config.tie_word_embeddings
                         ? embedding.tied_head()
                         : Linear::declare(ctx, "lm_head", V, D, Initialization::kNormal);
  if (ctx.cache_rows == 0) {
    head.logits_ = ctx.add_activation("lm_head.logits", Shape{chunk, V}, Lifetime::kScratch);
    head.lse_ = ctx.add("lm_head.lse", Shape{chunk}, Lifetime::kScratch);
  }
  return head;
}

void LmHead::forward_backward(const RunContext& run, TensorView dx_ND, ConstTensorView x_ND,
                              const Targets& targets) const {
  CHECK(dx_ND.bytes() != x_ND.bytes(), "the head's gradient lies apart from its input");
  const std::int64_t N = run.num_rows();
  norm_.forward(run, dx_ND, x_ND);
  for (std::int64_t begin = 0; begin < N; begin += chunk_) {
    const std::int64_t rows = std::min(chunk_, N - begin);
    const TensorView hidden = dx_ND.rows(begin, rows);
    const TensorView logits = run.view(logits_).rows(0, rows);
    projection_.forward(run, logits, hidden, WriteMode::kOverwrite);
    ops::cross_entropy_forward_backward(run.ops, targets.loss_N.rows(begin, rows), logits,
                                        targets.targets_N.rows(begin, rows), targets.mask_N.rows(begin, rows),
                                        targets.dloss_N.rows(begin, rows));
    projection_.backward_weight(run, logits, hidden);
    // The chunk's hidden states are spent: their gradient takes their place.
    projection_.backward_input(run, hidden, logits, WriteMode::kOverwrite);
  }
  norm_.backward(run, dx_ND, dx_ND, x_ND, WriteMode::kOverwrite);
}

void LmHead::evaluate(const RunContext& run, TensorView x_ND, const Targets& targets,
                      TensorView predicted_N) const {
  const std::int64_t N = run.num_rows();
  norm_.forward(run, x_ND, x_ND);
  for (std::int64_t begin = 0; begin < N; begin += chunk_) {
    const std::int64_t rows = std::min(chunk_, N - begin);
    const TensorView logits = run.view(logits_).rows(0, rows);
    projection_.forward(run, logits, x_ND.rows(begin, rows), WriteMode::kOverwrite);
    ops::cross_entropy_forward(run.ops, targets.loss_N.rows(begin, rows), run.view(lse_).rows(0, rows),
                               logits, targets.targets_N.rows(begin, rows), targets.mask_N.rows(begin, rows));
    if (!predicted_N.is_null()) {
      ops::argmax_rows(run.ops, predicted_N.rows(begin, rows), logits);
    }
  }
}

void LmHead::logits(const RunContext& run, TensorView logits, TensorView x_ND, std::int64_t first_row) const {
  norm_.forward(run, x_ND, x_ND);
  projection_.forward(run, logits, x_ND.rows(first_row, run.num_rows() - first_row), WriteMode::kOverwrite);
}

}  // namespace cairn::nn
