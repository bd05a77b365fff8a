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
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "data/sample_starts.h"
#include "device/thread_pool.h"

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
  std::int64_t num_bytes = 0;    // that a SampleOrder holds: its three arrays
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

// The arrays that an order is, as they are built and as they lie in a cache file.
struct SampleOrderArrays {
  std::span<const std::int32_t> document_index;  // documents in stream order
  std::span<const StreamPosition> starts;        // of the samples of the stream, and where the last one ends
  std::span<const std::uint32_t> shuffle_index;  // empty without shuffle
};

// Immutable; thread-safe. Keeps a view of `lengths`, which must outlive it.
class SampleOrder {
 public:
  // kBadData when the shard has no T+1 tokens; kUsage for options that make no sense. With a pool the scans run on it;
  // the shuffles are one after another by their nature.
  static Result<SampleOrder> build(std::span<const std::int32_t> lengths, const SampleOrderOptions& options,
                                   ThreadPool* pool = nullptr);
  // The order whose arrays were built before; `storage` keeps them alive. kBadData when their sizes are not those of
  // `lengths` and `options`.
  static Result<SampleOrder> adopt(std::span<const std::int32_t> lengths, const SampleOrderOptions& options,
                                   const SampleOrderArrays& arrays, std::shared_ptr<const void> storage);

  std::int64_t num_samples() const { return num_samples_; }  // at least those asked for
  std::int64_t num_epochs() const { return num_epochs_; }
  std::int64_t sequence() const { return options_.sequence; }
  std::int64_t tokens_per_epoch() const { return tokens_per_epoch_; }
  const SampleOrderOptions& options() const { return options_; }

  // The place in the stream that sample `sample` of the run reads. REQUIRES 0 <= sample < num_samples().
  std::int64_t shuffled(std::int64_t sample) const;
  // Calls visit(TokenSpan) -> Status for the pieces of `sample`, in order; together T+1 tokens, fewer only in
  // a kept tail. Allocates nothing.
  template <class Visit>
  Status visit_spans(std::int64_t sample, Visit&& visit) const {
    Status status;
    visit_pieces(sample, [&](std::int64_t /*index*/, const TokenSpan& span, bool /*is_first*/) {
      if (status.ok()) {
        status = visit(span);
      }
    });
    return status;
  }
  // The same as visit(position in the stream, TokenSpan, whether it begins the sample).
  template <class Visit>
  void visit_pieces(std::int64_t sample, Visit&& visit) const {
    const StreamPosition start = start_of(shuffled(sample));
    std::int64_t index = start.index;
    std::int64_t offset = start.offset;
    std::int64_t left = options_.sequence + 1;
    while (left > 0 && index < static_cast<std::int64_t>(arrays_.document_index.size())) {
      const std::int64_t document = arrays_.document_index[static_cast<std::size_t>(index)];
      const std::int64_t count = std::min(left, lengths_[static_cast<std::size_t>(document)] - offset);
      if (count > 0) {
        visit(index, TokenSpan{document, offset, count}, left == options_.sequence + 1);
      }
      left -= count;
      ++index;
      offset = 0;
    }
  }
  std::vector<TokenSpan> locate(std::int64_t sample) const;

  // Megatron's arrays: document_index, row `k` of sample_index (0 <= k <= num_samples), shuffle_index.
  const SampleOrderArrays& arrays() const { return arrays_; }
  std::span<const std::int32_t> document_index() const { return arrays_.document_index; }
  StreamPosition start_of(std::int64_t stream_sample) const;

 private:
  SampleOrder(const SampleOrderOptions& options, std::int64_t tokens_per_epoch, const SampleOrderSize& size,
              std::span<const std::int32_t> lengths, const SampleOrderArrays& arrays,
              std::shared_ptr<const void> storage)
      : options_(options),
        tokens_per_epoch_(tokens_per_epoch),
        num_epochs_(size.num_epochs),
        num_samples_(size.num_samples),
        lengths_(lengths),
        arrays_(arrays),
        storage_(std::move(storage)) {}

  SampleOrderOptions options_;
  std::int64_t tokens_per_epoch_ = 0;
  std::int64_t num_epochs_ = 1;
  std::int64_t num_samples_ = 0;
  std::span<const std::int32_t> lengths_;
  SampleOrderArrays arrays_;
  std::shared_ptr<const void> storage_;
};

}  // namespace cairn::data
