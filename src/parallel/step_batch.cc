#include "parallel/step_batch.h"

#include <string>

namespace cairn::parallel {
namespace {

std::int64_t count_predicted(const TensorView& loss_mask) {
  std::int64_t count = 0;
  for (const float mask : loss_mask.span<float>()) {
    count += mask != 0.0F ? 1 : 0;
  }
  return count;
}

void scale_masks(const TensorView& dloss, const TensorView& loss_mask, double scale) {
  const auto factor = static_cast<float>(scale);
  const auto mask = loss_mask.span<float>();
  const auto out = dloss.span<float>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = mask[i] * factor;
  }
}

}  // namespace

StepBatch StepBatch::declare(std::int64_t num_microbatches_max, std::int64_t batch, std::int64_t sequence,
                             Plan& plan) {
  StepBatch step;
  step.batch_ = batch;
  for (std::int64_t m = 0; m < num_microbatches_max; ++m) {
    const std::string prefix = "microbatch " + std::to_string(m) + " ";
    const auto add = [&](const char* name, DType dtype) {
      return plan.add({prefix + name, Shape{batch, sequence}, dtype, Lifetime::kIo});
    };
    Ids ids;
    ids.tokens = add("tokens", DType::kInt32);
    ids.targets = add("targets", DType::kInt32);
    ids.loss_mask = add("loss mask", DType::kFloat32);
    ids.positions = add("positions", DType::kInt32);
    ids.first_key = add("first key", DType::kInt32);
    ids.loss = add("loss", DType::kFloat32);
    ids.dloss = add("loss gradient", DType::kFloat32);
    step.ids_.push_back(ids);
  }
  return step;
}

void StepBatch::bind(const Memory& memory) {
  for (const Ids& ids : ids_) {
    const Rows rows{{memory.view(ids.tokens), memory.view(ids.targets), memory.view(ids.loss_mask),
                     memory.view(ids.positions), memory.view(ids.first_key)},
                    memory.view(ids.loss),
                    memory.view(ids.dloss)};
    views_.push_back({rows.batch.view(), rows.loss_BT, rows.dloss_BT});
    microbatches_.push_back(rows);
  }
}

data::MutableBatch& StepBatch::microbatch(std::int64_t index) {
  CHECK(index >= 0 && index < static_cast<std::int64_t>(microbatches_.size()), "microbatch outside the step");
  return microbatches_[static_cast<std::size_t>(index)].batch;
}

std::int64_t StepBatch::fold_reduction(LossReduction reduction, std::int64_t num_microbatches) {
  const std::span<const Rows> used(microbatches_.data(), static_cast<std::size_t>(num_microbatches));
  std::int64_t total = 0;
  for (const Rows& rows : used) {
    total += count_predicted(rows.batch.loss_mask_BT);
  }
  for (const Rows& rows : used) {
    const bool is_token_mean = reduction == LossReduction::kToken;
    const std::int64_t count =
        is_token_mean ? total : count_predicted(rows.batch.loss_mask_BT) * num_microbatches;
    scale_masks(rows.dloss_BT, rows.batch.loss_mask_BT, count == 0 ? 0.0 : 1.0 / static_cast<double>(count));
  }
  return total;
}

double StepBatch::loss_sum(std::int64_t num_microbatches) const {
  double sum = 0;
  for (std::int64_t m = 0; m < num_microbatches; ++m) {
    const Rows& rows = microbatches_[static_cast<std::size_t>(m)];
    const auto loss = rows.loss_BT.span<float>();
    for (std::size_t i = 0; i < loss.size(); ++i) {
      sum += static_cast<double>(loss[i]);  // 0 where the mask is 0
    }
  }
  return sum;
}

}  // namespace cairn::parallel
