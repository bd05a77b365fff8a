#include "train/data_feed.h"

#include <utility>

namespace cairn::train {

DataFeed::DataFeed(data::RunOrder order, const data::BatchOptions& options)
    : order_(std::make_unique<const data::RunOrder>(std::move(order))),
      cursor_(*order_),
      builder_(options),
      tokens_T1_(static_cast<std::size_t>(order_->sequence() + 1)) {}

Status DataFeed::fill(std::int64_t first_sample, std::int64_t num_microbatches, parallel::StepBatch& batch) {
  std::int64_t sample = first_sample;
  for (std::int64_t m = 0; m < num_microbatches; ++m) {
    data::MutableBatch& microbatch = batch.microbatch(m);
    for (std::int64_t row = 0; row < batch.samples_per_microbatch(); ++row, ++sample) {
      const data::SamplePlace place = cursor_.locate(sample);
      const Result<std::int64_t> num_valid =
          order_->source(place.order).read_sample(place.sample, tokens_T1_);
      if (!num_valid.ok()) {
        return num_valid.status();
      }
      builder_.fill_row(tokens_T1_, *num_valid, row, microbatch);
      chain_.add(place.order, place.sample, data::hash_tokens(tokens_T1_));
    }
  }
  return ok_status();
}

}  // namespace cairn::train
