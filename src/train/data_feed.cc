#include "train/data_feed.h"

#include <utility>

namespace cairn::train {

DataFeed::DataFeed(data::TokenSource source, const data::BatchOptions& options, std::int64_t sequence)
    : source_(std::move(source)), builder_(options), tokens_T1_(static_cast<std::size_t>(sequence + 1)) {}

Status DataFeed::fill(std::int64_t first_sample, std::int64_t num_microbatches, parallel::StepBatch& batch) {
  std::int64_t sample = first_sample;
  for (std::int64_t m = 0; m < num_microbatches; ++m) {
    data::MutableBatch& microbatch = batch.microbatch(m);
    for (std::int64_t row = 0; row < batch.samples_per_microbatch(); ++row, ++sample) {
      const Result<std::int64_t> num_valid = source_.read_sample(sample, tokens_T1_);
      if (!num_valid.ok()) {
        return num_valid.status();
      }
      builder_.fill_row(tokens_T1_, *num_valid, row, microbatch);
      chain_.add(0, sample, data::hash_tokens(tokens_T1_));
    }
  }
  return ok_status();
}

}  // namespace cairn::train
