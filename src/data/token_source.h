// One data source of a run: a token shard and the order of its samples.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/index_cache.h"
#include "data/sample_order.h"
#include "data/token_shard.h"
#include "doors/file_system.h"

namespace cairn::data {

struct TokenSourceOptions {
  SampleOrderOptions order;
  std::int64_t vocab_size = 0;  // of the model; every id read is checked against it
};

// What is known of PREFIX and of orders of its samples without building any.
struct TokenSourceSize {
  std::int64_t num_documents = 0;  // sequences
  std::int64_t num_tokens = 0;
  std::int64_t index_bytes = 0;  // memory of the shard's index, however many orders there are
};
// Reads the index file. kNoInput when the shard is not there; its errors otherwise.
Result<TokenSourceSize> token_source_size(FileSystem& files, const std::string& prefix);

// Immutable after open(); thread-safe.
class TokenSource {
 public:
  // PREFIX.bin and PREFIX.idx. Errors name the file.
  static Result<TokenSource> open(FileSystem& files, const std::string& prefix,
                                  const TokenSourceOptions& options);
  // Of a shard that is open; a large order is kept in `cache`. Both pointers may be null.
  static Result<TokenSource> open(std::shared_ptr<const TokenShard> shard, const std::string& prefix,
                                  const TokenSourceOptions& options, IndexCache* cache, ThreadPool* pool);

  std::int64_t num_tokens() const { return shard_->num_tokens(); }
  std::int64_t num_documents() const { return shard_->index().num_documents(); }
  std::int64_t num_samples() const { return order_.num_samples(); }  // of the order, all epochs
  const std::string& fingerprint() const { return shard_->fingerprint(); }
  Hash128 order_fingerprint() const;  // of all that the order of the samples depends on
  const std::string& prefix() const { return prefix_; }
  const SampleOrder& order() const { return order_; }
  const TokenShard& shard() const { return *shard_; }

  // Writes the T+1 ids of a sample and returns how many are real: T+1, or fewer in a kept tail (the rest is 0).
  // REQUIRES 0 <= sample < num_samples() and tokens_T1.size() == T+1. Allocates nothing unless it fails.
  Result<std::int64_t> read_sample(std::int64_t sample, std::span<std::int32_t> tokens_T1) const;

 private:
  TokenSource(std::string prefix, std::shared_ptr<const TokenShard> shard, SampleOrder order,
              std::int64_t vocab_size);

  std::string prefix_;
  std::shared_ptr<const TokenShard> shard_;
  SampleOrder order_;
  std::int64_t vocab_size_;
};

}  // namespace cairn::data
