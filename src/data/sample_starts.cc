#include "data/sample_starts.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "data/bucketed_access.h"
#include "data/parts.h"
#include "device/large_array.h"

namespace cairn::data {
namespace {

// Finds the starts of samples in a stream of documents, block after block of it.
class StartFinder {
 public:
  StartFinder(std::span<const std::int32_t> lengths, std::int64_t sequence, ThreadPool* pool,
              std::span<StreamPosition> starts)
      : lengths_(lengths), sequence_(sequence), pool_(pool), starts_(starts) {}

  // All of the stream.
  void find(std::span<const std::int32_t> documents) {
    const auto count = static_cast<std::int64_t>(documents.size());
    const std::int64_t block = std::min(count, std::max(kBlockMin, count / kBlocks));
    const LargeArray<std::int32_t> in_order(block);
    BucketedAccess accesses(block, pool_);
    for (std::int64_t begin = 0; begin < count; begin += block) {
      const auto size = static_cast<std::size_t>(std::min(block, count - begin));
      const auto part = documents.subspan(static_cast<std::size_t>(begin), size);
      gather(part, accesses, in_order.span().first(size));
      scan(in_order.span().first(size), begin);
    }
    starts_.front() = {};  // also when the first documents are empty
    if (static_cast<std::int64_t>(starts_.size() - 1) * sequence_ >= token_) {
      end_with(documents);
    }
  }

 private:
  static constexpr std::int64_t kBlocks = 4;
  static constexpr std::int64_t kBlockMin = 1 << 16;

  // in_order[i] = the length of documents[i].
  void gather(std::span<const std::int32_t> documents, BucketedAccess& accesses,
              std::span<std::int32_t> in_order) {
    const std::int32_t* const document = documents.data();
    const std::int32_t* const length = lengths_.data();
    std::int32_t* const out = in_order.data();
    const auto place = [document](std::int64_t k) { return static_cast<std::uint32_t>(document[k]); };
    accesses.collect(static_cast<std::int64_t>(documents.size()), static_cast<std::int64_t>(lengths_.size()),
                     place, [](std::int64_t) { return std::uint32_t{0}; });
    accesses.visit([length](std::span<PlaceAccess> bucket, std::size_t /*begin*/, std::size_t /*end*/) {
      for (PlaceAccess& access : bucket) {
        access.value = static_cast<std::uint32_t>(length[access.place]);
      }
    });
    accesses.hand_back(
        place, [out](std::int64_t k, std::uint32_t value) { out[k] = static_cast<std::int32_t>(value); });
  }

  // `lengths` of the documents from `first_index` of the stream on, which begin at token_.
  void scan(std::span<const std::int32_t> lengths, std::int64_t first_index) {
    const auto count = static_cast<std::int64_t>(lengths.size());
    const std::int64_t count_of_parts = num_parts(pool_);
    const auto part_of = [&](int part) {
      const IndexRange range = static_block(count, part, count_of_parts);
      return lengths.subspan(static_cast<std::size_t>(range.begin),
                             static_cast<std::size_t>(range.end - range.begin));
    };
    std::vector<std::int64_t> begins(static_cast<std::size_t>(count_of_parts) + 1, token_);
    for_parts(pool_, [&](int part) {
      const auto mine = part_of(part);
      begins[static_cast<std::size_t>(part) + 1] = std::accumulate(mine.begin(), mine.end(), std::int64_t{0});
    });
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    for_parts(pool_, [&](int part) {
      const IndexRange range = static_block(count, part, count_of_parts);
      scan_part(part_of(part), first_index + range.begin, begins[static_cast<std::size_t>(part)]);
    });
    token_ = begins.back();
  }

  // Walks documents of which the first is `index` of the stream and begins at `token`, and notes where samples start.
  void scan_part(std::span<const std::int32_t> lengths, std::int64_t index, std::int64_t token) {
    // A sample begins with the last token of the one before it, so the document that holds that token is it.
    std::int64_t sample = (token + sequence_ - 1) / sequence_;
    std::int64_t next = sample * sequence_;
    const auto num_starts = static_cast<std::int64_t>(starts_.size());
    for (const std::int32_t length : lengths) {
      const std::int64_t end = token + length;
      for (; next < end && sample < num_starts; ++sample, next += sequence_) {
        starts_[static_cast<std::size_t>(sample)] = {static_cast<std::int32_t>(index),
                                                     static_cast<std::int32_t>(next - token)};
      }
      token = end;
      ++index;
    }
  }

  // A kept tail ends with the stream's last token.
  void end_with(std::span<const std::int32_t> documents) {
    const auto length = [&](std::size_t index) {
      return lengths_[static_cast<std::size_t>(documents[index])];
    };
    std::size_t last = documents.size() - 1;
    while (length(last) == 0) {
      --last;
    }
    starts_.back() = {static_cast<std::int32_t>(last), length(last) - 1};
  }

  std::span<const std::int32_t> lengths_;
  std::int64_t sequence_;
  ThreadPool* pool_;
  std::span<StreamPosition> starts_;
  std::int64_t token_ = 0;  // of the stream, before the next block
};

}  // namespace

void find_sample_starts(std::span<const std::int32_t> documents, std::span<const std::int32_t> lengths,
                        std::int64_t sequence, std::span<StreamPosition> starts, ThreadPool* pool) {
  StartFinder(lengths, sequence, pool, starts).find(documents);
}

}  // namespace cairn::data
