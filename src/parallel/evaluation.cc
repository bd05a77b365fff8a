#include "parallel/evaluation.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace cairn::parallel {

EvaluationIds declare_evaluation(std::int64_t batch, std::int64_t sequence, Plan& plan) {
  const auto add = [&](const char* name, DType dtype) {
    return plan.add({std::string("evaluation ") + name, Shape{batch, sequence}, dtype, Lifetime::kIo});
  };
  EvaluationIds ids;
  ids.tokens = add("tokens", DType::kInt32);
  ids.targets = add("targets", DType::kInt32);
  ids.loss_mask = add("loss mask", DType::kFloat32);
  ids.positions = add("positions", DType::kInt32);
  ids.first_key = add("first key", DType::kInt32);
  ids.loss = add("loss", DType::kFloat32);
  ids.predicted = add("predicted", DType::kInt32);
  return ids;
}

double EvaluationResult::perplexity() const {
  return std::exp(loss);
}

Evaluator::Evaluator(const EvaluationIds& ids, const Memory& memory, nn::Model& model)
    : batch_{memory.view(ids.tokens), memory.view(ids.targets), memory.view(ids.loss_mask),
             memory.view(ids.positions), memory.view(ids.first_key)},
      loss_BT_(memory.view(ids.loss)),
      predicted_BT_(memory.view(ids.predicted)),
      device_(memory.device()),
      model_(model) {}

Result<EvaluationResult> Evaluator::evaluate(const data::TokenSource& source,
                                             const data::BatchOptions& options, std::int64_t num_samples) {
  const data::BatchBuilder builder(options);
  const std::int64_t rows_max = batch_.tokens_BT.dim(0);
  std::vector<std::int32_t> tokens_T1(static_cast<std::size_t>(batch_.tokens_BT.dim(1) + 1));
  EvaluationResult sums;
  sums.num_samples = std::min(num_samples, source.num_samples());
  for (std::int64_t first = 0; first < sums.num_samples; first += rows_max) {
    const std::int64_t num_rows = std::min(rows_max, sums.num_samples - first);
    for (std::int64_t row = 0; row < rows_max; ++row) {
      // The last microbatch is filled up with its own last sample; those rows are not counted.
      const std::int64_t sample = first + std::min(row, num_rows - 1);
      TRY_ASSIGN(const std::int64_t num_valid, source.read_sample(sample, tokens_T1));
      builder.fill_row(tokens_T1, num_valid, row, batch_);
    }
    model_.evaluate(batch_.view(), loss_BT_, predicted_BT_);
    if (device_ != nullptr) {
      TRY(device_->synchronize());
    }
    add_microbatch(num_rows, sums);
  }
  if (sums.num_tokens > 0) {
    sums.loss /= static_cast<double>(sums.num_tokens);
    sums.accuracy /= static_cast<double>(sums.num_tokens);
  }
  return sums;
}

void Evaluator::add_microbatch(std::int64_t num_rows, EvaluationResult& sums) const {
  const auto mask = batch_.loss_mask_BT.rows(0, num_rows).span<float>();
  const auto loss = loss_BT_.rows(0, num_rows).span<float>();
  const auto target = batch_.targets_BT.rows(0, num_rows).span<std::int32_t>();
  const auto predicted = predicted_BT_.rows(0, num_rows).span<std::int32_t>();
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0.0F) {
      sums.loss += static_cast<double>(loss[i]);
      sums.accuracy += predicted[i] == target[i] ? 1.0 : 0.0;
      ++sums.num_tokens;
    }
  }
}

}  // namespace cairn::parallel
