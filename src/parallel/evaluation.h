// Loss, perplexity and next-token accuracy of a model on a held-out token shard.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "data/batch_builder.h"
#include "data/token_source.h"
#include "nn/model.h"
#include "tensor/tensor_view.h"

namespace cairn::parallel {

// Planned memory of one evaluation microbatch (B, T); declared with the model's plan.
struct EvaluationIds {
  TensorId tokens, targets, loss_mask, positions, first_key, loss, predicted;
};
EvaluationIds declare_evaluation(std::int64_t batch, std::int64_t sequence, Plan& plan);

struct EvaluationResult {
  double loss = 0;              // nats per predicted token, mean
  double accuracy = 0;          // share of predicted tokens whose logit is the largest
  std::int64_t num_tokens = 0;  // predicted tokens
  std::int64_t num_samples = 0;
  double perplexity() const;  // exp(loss)
};

class Evaluator {
 public:
  // Works in `memory` with a bound model; both must outlive it.
  Evaluator(const EvaluationIds& ids, const Memory& memory, nn::Model& model);

  // The first `num_samples` samples of the source in its order (all when fewer). `options` as in training, but
  // Goldfish should be off: it belongs to the training objective. The result does not depend on B.
  Result<EvaluationResult> evaluate(const data::TokenSource& source, const data::BatchOptions& options,
                                    std::int64_t num_samples);

 private:
  void add_microbatch(std::int64_t num_rows, EvaluationResult& sums) const;

  data::MutableBatch batch_;
  TensorView loss_BT_;
  TensorView predicted_BT_;
  CudaDevice* device_;  // null on the CPU
  nn::Model& model_;
};

}  // namespace cairn::parallel
