// The microbatches of one step of one rank, in planned memory: the data plane fills the rows, the loss reduction
// turns masks into loss gradients, the executor reads them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/batch_builder.h"
#include "device/memory.h"
#include "parallel/executor.h"
#include "tensor/plan.h"

namespace cairn::parallel {

// kMicrobatch: mean per microbatch, then mean over microbatches (pre-training, as Apertus).
// kToken: one mean over all predicted tokens of the step (fine-tuning).
enum class LossReduction : std::uint8_t { kMicrobatch, kToken };

class StepBatch {
 public:
  // Declares io tensors for `num_microbatches_max` microbatches of (B, T).
  static StepBatch declare(std::int64_t num_microbatches_max, std::int64_t batch, std::int64_t sequence,
                           Plan& plan);
  void bind(const Memory& memory);

  std::int64_t samples_per_microbatch() const { return batch_; }
  std::int64_t num_samples_max() const { return static_cast<std::int64_t>(ids_.size()) * batch_; }
  // What the data plane fills: sample i of the step is row i % B of microbatch i / B.
  data::MutableBatch& microbatch(std::int64_t index);

  // Computes dloss of the first `num_microbatches` from their masks (=). A microbatch, or a step, with nothing to
  // predict gets gradient 0. Returns the number of positions with a mask of 1.
  std::int64_t fold_reduction(LossReduction reduction, std::int64_t num_microbatches);
  // Sum of masked losses of the first `num_microbatches`, in nats, in order, in float64.
  double loss_sum(std::int64_t num_microbatches) const;

  std::span<const Microbatch> microbatches() const { return views_; }

 private:
  struct Ids {
    TensorId tokens, targets, loss_mask, positions, first_key, loss, dloss;
  };
  struct Rows {
    data::MutableBatch batch;
    TensorView loss_BT, dloss_BT;
  };
  std::int64_t batch_ = 0;
  std::vector<Ids> ids_;
  std::vector<Rows> microbatches_;
  std::vector<Microbatch> views_;
};

}  // namespace cairn::parallel
