// A SampleOrder asked the other way round: which samples read a document. Two arrays of 32-bit numbers, kept in the
// index cache when they are large, so that an answer takes a few look-ups.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "data/index_cache.h"
#include "data/sample_order.h"
#include "device/thread_pool.h"

namespace cairn::data {

// A piece of a document in a sample.
struct DocumentUse {
  std::int64_t sample = 0;  // of the order
  TokenSpan span;
  bool is_first =
      false;  // the piece begins the sample: its first token is read, but predicted in another sample
};

// Immutable; thread-safe. The order outlives it.
class OrderInverse {
 public:
  // `cache` may be null; `fingerprint` stands for everything that the order depends on.
  static Result<OrderInverse> make(const SampleOrder& order, const Hash128& fingerprint, IndexCache* cache,
                                   ThreadPool* pool = nullptr);

  // The samples that read a token of `document`, in the order in which the run takes them. REQUIRES a document of the
  // shard.
  std::vector<DocumentUse> uses_of(std::int64_t document) const;

 private:
  OrderInverse() = default;

  const SampleOrder* order_ = nullptr;
  std::span<const std::int32_t> positions_;  // in the stream, num_epochs for each document
  std::span<const std::uint32_t> samples_;   // inverse of the shuffle index; empty without shuffle
  std::shared_ptr<const void> storage_;
};

}  // namespace cairn::data
