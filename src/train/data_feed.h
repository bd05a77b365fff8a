// Fills the microbatches of a step from the run's data, in the run's order, and keeps the hash chain over the samples
// consumed. The order is a pure function of the number of the sample: the only state is the chain.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/batch_builder.h"
#include "data/run_order.h"
#include "data/sample_chain.h"
#include "parallel/step_batch.h"

namespace cairn::train {

class DataFeed {
 public:
  // REQUIRES: options that check_batch_options accepts.
  DataFeed(data::RunOrder order, const data::BatchOptions& options);

  // Fills `num_microbatches` with samples first_sample, first_sample + 1, ... and adds them to the chain.
  // Allocates nothing unless it fails. kBadData or kIo name the file and offset; the chain is then unusable.
  Status fill(std::int64_t first_sample, std::int64_t num_microbatches, parallel::StepBatch& batch);

  const data::RunOrder& order() const { return *order_; }
  const data::SampleChain& chain() const { return chain_; }
  void restore_chain(const data::SampleChain& chain) { chain_ = chain; }

 private:
  std::unique_ptr<const data::RunOrder> order_;
  data::RunOrderCursor cursor_;
  data::BatchBuilder builder_;
  data::SampleChain chain_;
  std::vector<std::int32_t> tokens_T1_;  // reused
};

}  // namespace cairn::train
