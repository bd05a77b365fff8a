#include "data/sample_order.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "data/numpy_random.h"

namespace cairn::data {
namespace {

// A last epoch that gives fewer than this share of an epoch's samples is shuffled on its own.
constexpr double kLastEpochShare = 0.80;
// Bounds the arrays (and keeps every product below in 64 bits): Megatron's document index is int32.
constexpr std::int64_t kSequenceMax = std::int64_t{1} << 30;
constexpr std::int64_t kIndexMax = std::numeric_limits<std::int32_t>::max();

Status check_options(std::int64_t num_documents, const SampleOrderOptions& options) {
  if (options.sequence < 1 || options.sequence > kSequenceMax) {
    return usage_error(
        fmt::format("sequence length {} is not between 1 and {}", options.sequence, kSequenceMax));
  }
  if (options.num_samples < 0 ||
      options.num_samples > std::numeric_limits<std::int64_t>::max() / 2 / kSequenceMax) {
    return usage_error(fmt::format("{} samples cannot be ordered", options.num_samples));
  }
  if (options.keep_tail && options.shuffle) {
    return usage_error("the last, shorter sample is kept only where samples are not shuffled");
  }
  if (num_documents > kIndexMax) {
    return bad_data(fmt::format("{} sequences are more than one source can have", num_documents));
  }
  return ok_status();
}

}  // namespace

Result<SampleOrderSize> sample_order_size(std::int64_t num_documents, std::int64_t num_tokens,
                                          const SampleOrderOptions& options) {
  TRY(check_options(num_documents, options));
  const std::int64_t sequence = options.sequence;
  if (num_tokens < (options.keep_tail ? 2 : sequence + 1)) {
    return bad_data(fmt::format("{} tokens are not enough for one sample of {} + 1", num_tokens, sequence));
  }
  SampleOrderSize size;
  const std::int64_t requested = options.keep_tail ? 0 : options.num_samples * sequence + 1;
  size.num_epochs = std::max<std::int64_t>(1, (requested + num_tokens - 1) / num_tokens);
  if (size.num_epochs > kIndexMax / num_documents) {
    return bad_data(
        fmt::format("{} samples need {} epochs of {} sequences: more than {} entries in the order",
                    options.num_samples, size.num_epochs, num_documents, kIndexMax));
  }
  const std::int64_t stream_tokens = size.num_epochs * num_tokens;
  size.num_samples = (stream_tokens - 1 + (options.keep_tail ? sequence - 1 : 0)) / sequence;
  if (options.shuffle && size.num_samples >= std::int64_t{std::numeric_limits<std::uint32_t>::max()} - 1) {
    return bad_data(fmt::format("{} samples are more than one shuffled source can have", size.num_samples));
  }
  constexpr std::int64_t kEntryBytes = sizeof(std::int32_t) + sizeof(std::int64_t);
  constexpr std::int64_t kShuffleBytes = sizeof(std::uint32_t);
  size.num_bytes = size.num_epochs * num_documents * kEntryBytes +
                   (options.shuffle ? size.num_samples * kShuffleBytes : 0);
  return size;
}

Result<SampleOrder> SampleOrder::build(std::span<const std::int32_t> lengths,
                                       const SampleOrderOptions& options) {
  const auto num_documents = static_cast<std::int64_t>(lengths.size());
  const std::int64_t sequence = options.sequence;
  const std::int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  TRY_ASSIGN(const SampleOrderSize size, sample_order_size(num_documents, tokens, options));
  SampleOrder order;
  order.options_ = options;
  order.tokens_per_epoch_ = tokens;
  order.num_epochs_ = size.num_epochs;
  order.num_samples_ = size.num_samples;
  const std::int64_t samples_before_last = ((order.num_epochs_ - 1) * tokens - 1) / sequence;
  bool separate_last_epoch = false;
  if (order.num_epochs_ > 1) {
    const std::int64_t from_last = options.num_samples - samples_before_last;
    const std::int64_t per_epoch = (tokens - 1) / sequence;
    separate_last_epoch =
        from_last < static_cast<std::int64_t>(kLastEpochShare * static_cast<double>(per_epoch));
  }
  NumpyRandomState random(options.seed);
  order.build_document_index(num_documents, separate_last_epoch, random);
  order.stream_ends_.reserve(order.document_index_.size());
  std::int64_t end = 0;
  for (const std::int32_t document : order.document_index_) {
    end += lengths[static_cast<std::size_t>(document)];
    order.stream_ends_.push_back(end);
  }
  if (options.shuffle) {
    order.build_shuffle_index(separate_last_epoch ? samples_before_last : order.num_samples_, random);
  }
  return order;
}

void SampleOrder::build_document_index(std::int64_t num_documents, bool separate_last_epoch,
                                       NumpyRandomState& random) {
  document_index_.reserve(static_cast<std::size_t>(num_epochs_ * num_documents));
  for (std::int64_t epoch = 0; epoch < num_epochs_; ++epoch) {
    for (std::int64_t document = 0; document < num_documents; ++document) {
      document_index_.push_back(static_cast<std::int32_t>(document));
    }
  }
  if (!options_.shuffle) {
    return;
  }
  const std::span all(document_index_);
  const std::size_t num_last = separate_last_epoch ? static_cast<std::size_t>(num_documents) : 0;
  random.shuffle(all.first(all.size() - num_last));
  random.shuffle(all.last(num_last));
}

void SampleOrder::build_shuffle_index(std::int64_t num_first, NumpyRandomState& random) {
  shuffle_index_.resize(static_cast<std::size_t>(num_samples_));
  std::iota(shuffle_index_.begin(), shuffle_index_.end(), std::uint32_t{0});
  const std::span all(shuffle_index_);
  random.shuffle(all.first(static_cast<std::size_t>(num_first)));
  random.shuffle(all.subspan(static_cast<std::size_t>(num_first)));
}

std::int64_t SampleOrder::shuffled(std::int64_t sample) const {
  CHECK(sample >= 0 && sample < num_samples_, "sample out of range");
  return options_.shuffle ? std::int64_t{shuffle_index_[static_cast<std::size_t>(sample)]} : sample;
}

StreamPosition SampleOrder::start_of(std::int64_t stream_sample) const {
  CHECK(stream_sample >= 0 && stream_sample <= num_samples_, "sample out of range");
  if (stream_sample == 0) {
    return {};
  }
  // The sample begins with the last token of the one before it, so the document that holds that token is it.
  const std::int64_t token = std::min(stream_sample * options_.sequence, stream_ends_.back() - 1);
  const auto end = std::upper_bound(stream_ends_.begin(), stream_ends_.end(), token);
  const std::int64_t index = end - stream_ends_.begin();
  const std::int64_t begin = index == 0 ? 0 : stream_ends_[static_cast<std::size_t>(index - 1)];
  return {index, token - begin};
}

std::vector<TokenSpan> SampleOrder::locate(std::int64_t sample) const {
  std::vector<TokenSpan> spans;
  const Status status = visit_spans(sample, [&](const TokenSpan& span) {
    spans.push_back(span);
    return ok_status();
  });
  CHECK(status.ok(), "collecting spans cannot fail");
  return spans;
}

}  // namespace cairn::data
