// One data source of a run: a token shard and the order of its samples.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/sample_order.h"
#include "data/token_shard.h"
#include "doors/file_system.h"

namespace cairn::data {

struct TokenSourceOptions {
  SampleOrderOptions order;
  std::int64_t vocab_size = 0;  // of the model; every id read is checked against it
};

// Memory that TokenSource::open of PREFIX takes for good: the shard's index and the order of the samples. Reads the
// index file, builds no order. Errors as open() has them; kNoInput when the shard is not there.
Result<std::int64_t> token_source_bytes(FileSystem& files, const std::string& prefix,
                                        const SampleOrderOptions& options);

// Immutable after open(); thread-safe.
class TokenSource {
 public:
  // PREFIX.bin and PREFIX.idx. Errors name the file.
  static Result<TokenSource> open(FileSystem& files, const std::string& prefix,
                                  const TokenSourceOptions& options);

  std::int64_t num_tokens() const { return shard_.num_tokens(); }
  std::int64_t num_documents() const { return shard_.index().num_documents(); }
  std::int64_t num_samples() const { return order_.num_samples(); }  // of the order, all epochs
  const std::string& fingerprint() const { return shard_.fingerprint(); }
  const std::string& prefix() const { return prefix_; }
  const SampleOrder& order() const { return order_; }
  const TokenShard& shard() const { return shard_; }

  // Writes the T+1 ids of a sample and returns how many are real: T+1, or fewer in a kept tail (the rest is 0).
  // REQUIRES 0 <= sample < num_samples() and tokens_T1.size() == T+1. Allocates nothing unless it fails.
  Result<std::int64_t> read_sample(std::int64_t sample, std::span<std::int32_t> tokens_T1) const;

 private:
  TokenSource(std::string prefix, TokenShard shard, SampleOrder order, std::int64_t vocab_size);

  std::string prefix_;
  TokenShard shard_;
  SampleOrder order_;
  std::int64_t vocab_size_;
};

}  // namespace cairn::data
