#include "data/sample_order.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>

#include <fmt/format.h>

#include "data/numpy_random.h"
#include "data/numpy_shuffle.h"
#include "device/large_array.h"

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
  size.num_bytes = size.num_epochs * num_documents * std::int64_t{sizeof(std::int32_t)} +
                   (size.num_samples + 1) * std::int64_t{sizeof(StreamPosition)} +
                   (options.shuffle ? size.num_samples * std::int64_t{sizeof(std::uint32_t)} : 0);
  return size;
}

namespace {

// The arrays of an order that was built here.
struct Storage {
  Storage(std::int64_t num_places, std::int64_t num_samples, std::int64_t num_shuffled)
      : document_index(num_places), starts(num_samples + 1), shuffle_index(num_shuffled) {}
  LargeArray<std::int32_t> document_index;
  LargeArray<StreamPosition> starts;
  LargeArray<std::uint32_t> shuffle_index;
};

// How many samples come before the last epoch when that is shuffled on its own; -1 when it is not.
std::int64_t samples_before_last_epoch(const SampleOrderOptions& options, std::int64_t num_epochs,
                                       std::int64_t tokens) {
  if (num_epochs == 1) {
    return -1;
  }
  const std::int64_t before = ((num_epochs - 1) * tokens - 1) / options.sequence;
  const std::int64_t per_epoch = (tokens - 1) / options.sequence;
  const auto limit = static_cast<std::int64_t>(kLastEpochShare * static_cast<double>(per_epoch));
  return options.num_samples - before < limit ? before : -1;
}

template <class Body>
void parallel_for(ThreadPool* pool, std::int64_t count, Body&& body) {
  constexpr std::int64_t kGrain = 1 << 16;
  if (pool == nullptr) {
    body(std::int64_t{0}, count);
  } else {
    pool->parallel_for(count, kGrain, body);
  }
}

void fill_stream(std::span<std::int32_t> documents, std::int64_t num_documents, ThreadPool* pool) {
  parallel_for(pool, static_cast<std::int64_t>(documents.size()), [&](std::int64_t begin, std::int64_t end) {
    std::int64_t document = begin % num_documents;
    for (std::int64_t i = begin; i < end; ++i) {
      documents[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(document);
      document = document + 1 == num_documents ? 0 : document + 1;
    }
  });
}

void shuffle_in_parts(std::span<std::uint32_t> values, std::int64_t num_first, NumpyRandomState& random,
                      ThreadPool* pool) {
  numpy_shuffle(values.first(static_cast<std::size_t>(num_first)), random, pool);
  numpy_shuffle(values.subspan(static_cast<std::size_t>(num_first)), random, pool);
}

}  // namespace

Result<SampleOrder> SampleOrder::build(std::span<const std::int32_t> lengths,
                                       const SampleOrderOptions& options, ThreadPool* pool) {
  const auto num_documents = static_cast<std::int64_t>(lengths.size());
  const std::int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  TRY_ASSIGN(const SampleOrderSize size, sample_order_size(num_documents, tokens, options));
  const std::int64_t num_places = size.num_epochs * num_documents;
  const auto storage =
      std::make_shared<const Storage>(num_places, size.num_samples, options.shuffle ? size.num_samples : 0);
  const std::int64_t before_last = samples_before_last_epoch(options, size.num_epochs, tokens);
  const bool is_last_separate = before_last >= 0;
  NumpyRandomState random(options.seed);
  const std::span<std::int32_t> documents = storage->document_index.span();
  fill_stream(documents, num_documents, pool);
  if (options.shuffle) {
    // Document numbers are never negative: the same bits without a sign.
    const std::span values(reinterpret_cast<std::uint32_t*>(documents.data()), documents.size());
    shuffle_in_parts(values, is_last_separate ? num_places - num_documents : num_places, random, pool);
  }
  find_sample_starts(documents, lengths, options.sequence, storage->starts.span(), pool);
  if (options.shuffle) {
    const std::span<std::uint32_t> shuffle_index = storage->shuffle_index.span();
    std::iota(shuffle_index.begin(), shuffle_index.end(), std::uint32_t{0});
    shuffle_in_parts(shuffle_index, is_last_separate ? before_last : size.num_samples, random, pool);
  }
  return SampleOrder(options, tokens, size, lengths,
                     {storage->document_index.span(), storage->starts.span(), storage->shuffle_index.span()},
                     storage);
}

Result<SampleOrder> SampleOrder::adopt(std::span<const std::int32_t> lengths,
                                       const SampleOrderOptions& options, const SampleOrderArrays& arrays,
                                       std::shared_ptr<const void> storage) {
  const auto num_documents = static_cast<std::int64_t>(lengths.size());
  const std::int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  TRY_ASSIGN(const SampleOrderSize size, sample_order_size(num_documents, tokens, options));
  const auto num_samples = static_cast<std::size_t>(size.num_samples);
  if (static_cast<std::int64_t>(arrays.document_index.size()) != size.num_epochs * num_documents ||
      arrays.starts.size() != num_samples + 1 ||
      arrays.shuffle_index.size() != (options.shuffle ? num_samples : 0)) {
    return bad_data("an order of samples has arrays of other sizes than its source needs");
  }
  return SampleOrder(options, tokens, size, lengths, arrays, std::move(storage));
}

std::int64_t SampleOrder::shuffled(std::int64_t sample) const {
  CHECK(sample >= 0 && sample < num_samples_, "sample out of range");
  return options_.shuffle ? std::int64_t{arrays_.shuffle_index[static_cast<std::size_t>(sample)]} : sample;
}

StreamPosition SampleOrder::start_of(std::int64_t stream_sample) const {
  CHECK(stream_sample >= 0 && stream_sample <= num_samples_, "sample out of range");
  return arrays_.starts[static_cast<std::size_t>(stream_sample)];
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
