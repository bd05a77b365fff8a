#include "nn/lm_head.h"

#include <algorithm>

#include "ops/cross_entropy.h"

namespace cairn::nn {
namespace {

using ops::WriteMode;

void argmax_rows(const RunContext& run, TensorView predicted_N, ConstTensorView logits_NV) {
  const std::int64_t V = logits_NV.dim(1);
  const float* logits = logits_NV.data<float>();
  std::int32_t* predicted = predicted_N.data<std::int32_t>();
  run.ops.pool.parallel_for(logits_NV.dim(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* values = logits + row * V;
      predicted[row] = static_cast<std::int32_t>(std::max_element(values, values + V) - values);
    }
  });
}

}  // namespace

LmHead LmHead::declare(DeclareContext& ctx, const Embedding& embedding) {
  const ScratchScope scope(ctx.plan);
  const std::int64_t D = ctx.config.hidden_size;
  const std::int64_t V = ctx.config.vocab_size;
  const std::int64_t chunk = std::min(ctx.num_rows(), kLmHeadRows);
  // Nothing of the head outlives its forward, which is its backward too.
  const Lifetime inner = ctx.inner;
  ctx.inner = Lifetime::kScratch;
  LmHead head;
  head.norm_ = RmsNorm::declare(ctx, "model.norm", D, 1);
  ctx.inner = inner;
  head.projection_ = ctx.config.tie_word_embeddings
                         ? embedding.tied_head()
                         : Linear::declare(ctx, "lm_head", V, D, Initialization::kNormal);
  head.hidden_ = ctx.add("lm_head.hidden", Shape{ctx.num_rows(), D}, Lifetime::kScratch);
  if (ctx.cache_rows == 0) {
    head.logits_ = ctx.add("lm_head.logits", Shape{chunk, V}, Lifetime::kScratch);
    head.lse_ = ctx.add("lm_head.lse", Shape{chunk}, Lifetime::kScratch);
  }
  return head;
}

void LmHead::forward_backward(const RunContext& run, TensorView dx_ND, ConstTensorView x_ND,
                              const Targets& targets) const {
  const std::int64_t N = run.num_rows();
  const TensorView hidden_ND = run.rows(hidden_);
  norm_.forward(run, hidden_ND, x_ND);
  for (std::int64_t begin = 0; begin < N; begin += kLmHeadRows) {
    const std::int64_t rows = std::min(kLmHeadRows, N - begin);
    const TensorView hidden = hidden_ND.rows(begin, rows);
    const TensorView logits = run.view(logits_).rows(0, rows);
    const TensorView lse = run.view(lse_).rows(0, rows);
    const ConstTensorView ids = targets.targets_N.rows(begin, rows);
    projection_.forward(run, logits, hidden, WriteMode::kOverwrite);
    ops::cross_entropy_forward(run.ops, targets.loss_N.rows(begin, rows), lse, logits, ids,
                               targets.mask_N.rows(begin, rows));
    ops::cross_entropy_backward(run.ops, logits, logits, lse, ids, targets.dloss_N.rows(begin, rows));
    projection_.backward_weight(run, logits, hidden);
    // The chunk's hidden states are spent: their gradient takes their place.
    projection_.backward_input(run, hidden, logits, WriteMode::kOverwrite);
  }
  norm_.backward_weight(run, hidden_ND, x_ND);
  norm_.backward_input(run, dx_ND, hidden_ND, x_ND, WriteMode::kOverwrite);
}

void LmHead::evaluate(const RunContext& run, ConstTensorView x_ND, const Targets& targets,
                      TensorView predicted_N) const {
  const std::int64_t N = run.num_rows();
  const TensorView hidden_ND = run.rows(hidden_);
  norm_.forward(run, hidden_ND, x_ND);
  for (std::int64_t begin = 0; begin < N; begin += kLmHeadRows) {
    const std::int64_t rows = std::min(kLmHeadRows, N - begin);
    const TensorView logits = run.view(logits_).rows(0, rows);
    projection_.forward(run, logits, hidden_ND.rows(begin, rows), WriteMode::kOverwrite);
    ops::cross_entropy_forward(run.ops, targets.loss_N.rows(begin, rows), run.view(lse_).rows(0, rows),
                               logits, targets.targets_N.rows(begin, rows), targets.mask_N.rows(begin, rows));
    if (!predicted_N.is_null()) {
      argmax_rows(run, predicted_N.rows(begin, rows), logits);
    }
  }
}

void LmHead::logits(const RunContext& run, TensorView logits, ConstTensorView x_ND,
                    std::int64_t first_row) const {
  const TensorView hidden_ND = run.rows(hidden_);
  norm_.forward(run, hidden_ND, x_ND);
  projection_.forward(run, logits, hidden_ND.rows(first_row, run.num_rows() - first_row),
                      WriteMode::kOverwrite);
}

}  // namespace cairn::nn
