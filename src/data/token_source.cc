#include "data/token_source.h"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::data {

Result<TokenSourceSize> token_source_size(FileSystem& files, const std::string& prefix) {
  TRY_ASSIGN(const TokenIndex index, read_token_index(files, prefix + ".idx", prefix + ".bin"));
  TokenSourceSize size;
  size.num_documents = index.num_sequences();
  size.num_tokens = index.num_tokens;
  size.index_bytes = static_cast<std::int64_t>(std::span(index.lengths).size_bytes() +
                                               std::span(index.offsets).size_bytes() +
                                               std::span(index.documents).size_bytes());
  return size;
}

namespace {

constexpr std::int64_t kCachedBytes = std::int64_t{16} << 20;  // orders below it are made in no time

Hash128 fingerprint_of(const TokenShard& shard, const SampleOrderOptions& options) {
  Hasher hasher;
  hasher.update("sample order, version 1");
  hasher.update(shard.fingerprint());
  for (const std::int64_t part : {options.sequence, options.num_samples, std::int64_t{options.seed},
                                  std::int64_t{options.shuffle}, std::int64_t{options.keep_tail}}) {
    hasher.update_uint64(static_cast<std::uint64_t>(part));
  }
  return hasher.digest();
}

Result<SampleOrder> cached_order(const TokenShard& shard, const SampleOrderOptions& options,
                                 IndexCache& cache, ThreadPool* pool) {
  const std::span<const std::int32_t> lengths = shard.index().lengths;
  TRY_ASSIGN(const IndexArrays arrays,
             cache.load_or_make("order", fingerprint_of(shard, options), [&]() -> Result<IndexArrays> {
               TRY_ASSIGN(SampleOrder order, SampleOrder::build(lengths, options, pool));
               auto storage = std::make_shared<const SampleOrder>(std::move(order));
               const SampleOrderArrays& made = storage->arrays();
               return IndexArrays{{std::as_bytes(made.document_index), std::as_bytes(made.starts),
                                   std::as_bytes(made.shuffle_index)},
                                  storage};
             }));
  if (arrays.arrays.size() != 3) {
    return bad_data("the index of an order has not three arrays");
  }
  return SampleOrder::adopt(
      lengths, options,
      {arrays.as<std::int32_t>(0), arrays.as<StreamPosition>(1), arrays.as<std::uint32_t>(2)},
      arrays.storage);
}

Result<SampleOrder> make_order(const TokenShard& shard, const SampleOrderOptions& options, IndexCache* cache,
                               ThreadPool* pool) {
  TRY_ASSIGN(const SampleOrderSize size,
             sample_order_size(shard.num_sequences(), shard.num_tokens(), options));
  if (cache == nullptr || size.num_bytes < kCachedBytes) {
    return SampleOrder::build(shard.index().lengths, options, pool);
  }
  return cached_order(shard, options, *cache, pool);
}

}  // namespace

TokenSource::TokenSource(std::string prefix, std::shared_ptr<const TokenShard> shard, SampleOrder order,
                         std::int64_t vocab_size)
    : prefix_(std::move(prefix)),
      shard_(std::move(shard)),
      order_(std::move(order)),
      vocab_size_(vocab_size) {}

Result<TokenSource> TokenSource::open(FileSystem& files, const std::string& prefix,
                                      const TokenSourceOptions& options) {
  TRY_ASSIGN(TokenShard shard, TokenShard::open(files, prefix));
  return open(std::make_shared<const TokenShard>(std::move(shard)), prefix, options, nullptr, nullptr);
}

Result<TokenSource> TokenSource::open(std::shared_ptr<const TokenShard> shard, const std::string& prefix,
                                      const TokenSourceOptions& options, IndexCache* cache,
                                      ThreadPool* pool) {
  if (options.vocab_size < 1) {
    return usage_error(fmt::format("{}: a vocabulary of {} tokens", prefix, options.vocab_size));
  }
  Result<SampleOrder> order = make_order(*shard, options.order, cache, pool);
  if (!order.ok()) {
    return order.status().with_context(prefix);
  }
  return TokenSource(prefix, std::move(shard), std::move(order).value(), options.vocab_size);
}

Hash128 TokenSource::order_fingerprint() const {
  return fingerprint_of(*shard_, order_.options());
}

Result<std::int64_t> TokenSource::read_sample(std::int64_t sample, std::span<std::int32_t> tokens_T1) const {
  CHECK(static_cast<std::int64_t>(tokens_T1.size()) == order_.sequence() + 1, "a sample has T+1 tokens");
  std::int64_t num_valid = 0;
  TRY(order_.visit_spans(sample, [&](const TokenSpan& span) {
    const auto ids =
        tokens_T1.subspan(static_cast<std::size_t>(num_valid), static_cast<std::size_t>(span.count));
    num_valid += span.count;
    return shard_->read(span.document, span.offset, vocab_size_, ids);
  }));
  std::fill(tokens_T1.begin() + num_valid, tokens_T1.end(), 0);
  return num_valid;
}

}  // namespace cairn::data
