#include "data/token_source.h"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::data {

Result<std::int64_t> token_source_bytes(FileSystem& files, const std::string& prefix,
                                        const SampleOrderOptions& options) {
  TRY_ASSIGN(const TokenIndex index, read_token_index(files, prefix + ".idx", prefix + ".bin"));
  const Result<SampleOrderSize> order = sample_order_size(index.num_sequences(), index.num_tokens, options);
  if (!order.ok()) {
    return order.status().with_context(prefix);
  }
  const std::span lengths(index.lengths);
  const std::span offsets(index.offsets);
  const std::span documents(index.documents);
  return static_cast<std::int64_t>(lengths.size_bytes() + offsets.size_bytes() + documents.size_bytes()) +
         order->num_bytes;
}

TokenSource::TokenSource(std::string prefix, TokenShard shard, SampleOrder order, std::int64_t vocab_size)
    : prefix_(std::move(prefix)),
      shard_(std::move(shard)),
      order_(std::move(order)),
      vocab_size_(vocab_size) {}

Result<TokenSource> TokenSource::open(FileSystem& files, const std::string& prefix,
                                      const TokenSourceOptions& options) {
  if (options.vocab_size < 1) {
    return usage_error(fmt::format("{}: a vocabulary of {} tokens", prefix, options.vocab_size));
  }
  TRY_ASSIGN(TokenShard shard, TokenShard::open(files, prefix));
  Result<SampleOrder> order = SampleOrder::build(shard.index().lengths, options.order);
  if (!order.ok()) {
    return order.status().with_context(prefix);
  }
  return TokenSource(prefix, std::move(shard), std::move(order).value(), options.vocab_size);
}

Result<std::int64_t> TokenSource::read_sample(std::int64_t sample, std::span<std::int32_t> tokens_T1) const {
  CHECK(static_cast<std::int64_t>(tokens_T1.size()) == order_.sequence() + 1, "a sample has T+1 tokens");
  std::int64_t num_valid = 0;
  TRY(order_.visit_spans(sample, [&](const TokenSpan& span) {
    const auto ids =
        tokens_T1.subspan(static_cast<std::size_t>(num_valid), static_cast<std::size_t>(span.count));
    num_valid += span.count;
    return shard_.read(span.document, span.offset, vocab_size_, ids);
  }));
  std::fill(tokens_T1.begin() + num_valid, tokens_T1.end(), 0);
  return num_valid;
}

}  // namespace cairn::data
