// The order in which one source's tokens are read: Megatron's GPTDataset, exactly. A pure function of
// (seed, number of samples, sequence length, sequence lengths of the shard); the same on any number of ranks.
//   stream   the shard's sequences, repeated for as many epochs as the samples need, shuffled
//   sample k tokens [k*T, k*T + T] of the stream (T+1 tokens; neighbours share one)
//   order    a shuffle of the samples
// When the last epoch gives less than 80 % of an epoch's samples it is shuffled on its own, after the others.
// A "document" here is one sequence of the shard, as it is there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace cairn::data {

struct SampleOrderOptions {
  std::int64_t sequence = 0;     // T, tokens predicted per sample
  std::int64_t num_samples = 0;  // samples that must exist; 0 = one epoch
  std::uint32_t seed = 0;
  bool shuffle = true;     // false: documents in file order, samples 0, 1, 2, ... (evaluation)
  bool keep_tail = false;  // the last, shorter sample counts too (evaluation); only without shuffle
};

// How large an order is, from counts alone.
struct SampleOrderSize {
  std::int64_t num_epochs = 1;
  std::int64_t num_samples = 0;  // at least those asked for
  std::int64_t num_bytes = 0;    // that a SampleOrder holds: document index, stream ends and shuffle index
};

// The size of the order that SampleOrder::build makes of `num_documents` sequences with `num_tokens` in all, with
// its errors. Allocates nothing: ask before building.
Result<SampleOrderSize> sample_order_size(std::int64_t num_documents, std::int64_t num_tokens,
                                          const SampleOrderOptions& options);

// A piece of one document.
struct TokenSpan {
  std::int64_t document = 0;  // sequence number in the shard
  std::int64_t offset = 0;    // first token within it
  std::int64_t count = 0;
};

// Where a sample starts or ends: the row of Megatron's sample_index.
struct StreamPosition {
  std::int64_t index = 0;   // into document_index
  std::int64_t offset = 0;  // tokens into that document
};

class SampleOrder {
 public:
  // kBadData when the shard has no T+1 tokens; kUsage for options that make no sense.
  static Result<SampleOrder> build(std::span<const std::int32_t> lengths, const SampleOrderOptions& options);

  std::int64_t num_samples() const { return num_samples_; }  // at least those asked for
  std::int64_t num_epochs() const { return num_epochs_; }
  std::int64_t sequence() const { return options_.sequence; }
  std::int64_t tokens_per_epoch() const { return tokens_per_epoch_; }

  // The place in the stream that sample `sample` of the run reads. REQUIRES 0 <= sample < num_samples().
  std::int64_t shuffled(std::int64_t sample) const;
  // Calls visit(TokenSpan) -> Status for the pieces of `sample`, in order; together T+1 tokens, fewer only in
  // a kept tail. Allocates nothing.
  template <class Visit>
  Status visit_spans(std::int64_t sample, Visit&& visit) const {
    StreamPosition at = start_of(shuffled(sample));
    std::int64_t left = options_.sequence + 1;
    while (left > 0 && at.index < static_cast<std::int64_t>(document_index_.size())) {
      const std::int64_t count = std::min(left, document_length(at.index) - at.offset);
      if (count > 0) {
        TRY(visit(TokenSpan{document_index_[static_cast<std::size_t>(at.index)], at.offset, count}));
      }
      left -= count;
      at = {at.index + 1, 0};
    }
    return ok_status();
  }
  std::vector<TokenSpan> locate(std::int64_t sample) const;

  // Megatron's arrays: document_index, row `k` of sample_index (0 <= k <= num_samples), shuffle_index.
  std::span<const std::int32_t> document_index() const { return document_index_; }
  StreamPosition start_of(std::int64_t stream_sample) const;

 private:
  SampleOrder() = default;
  void build_document_index(std::int64_t num_documents, bool separate_last_epoch,
                            class NumpyRandomState& random);
  void build_shuffle_index(std::int64_t num_first, class NumpyRandomState& random);
  std::int64_t document_length(std::int64_t index) const {
    const auto i = static_cast<std::size_t>(index);
    return stream_ends_[i] - (i == 0 ? 0 : stream_ends_[i - 1]);
  }

  SampleOrderOptions options_;
  std::int64_t tokens_per_epoch_ = 0;
  std::int64_t num_epochs_ = 1;
  std::int64_t num_samples_ = 0;
  std::vector<std::int32_t> document_index_;  // documents in stream order
  std::vector<std::int64_t> stream_ends_;     // tokens of the stream up to the end of document_index_[i]
  std::vector<std::uint32_t> shuffle_index_;  // empty without shuffle
};

}  // namespace cairn::data
