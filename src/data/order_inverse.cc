#include "data/order_inverse.h"

#include <algorithm>

#include "base/check.h"
#include "data/bucketed_access.h"
#include "device/large_array.h"

namespace cairn::data {
namespace {

constexpr std::int64_t kCachedBytes = std::int64_t{16} << 20;  // what is smaller is made in no time

struct Storage {
  Storage(std::int64_t num_places, std::int64_t num_samples) : positions(num_places), samples(num_samples) {}
  LargeArray<std::int32_t> positions;
  LargeArray<std::uint32_t> samples;
};

// Calls place(value, its index) for every value (below `num_values`) of a large array: near values together, for each value
// the indices in order, on all threads.
template <class Place>
void place_all(std::span<const std::uint32_t> values, std::int64_t num_values, ThreadPool* pool,
               Place place) {
  constexpr std::int64_t kParts = 4;  // the memory for all at once would be twice that of the array
  const auto count = static_cast<std::int64_t>(values.size());
  const std::int64_t part = (count + kParts - 1) / kParts;
  BucketedAccess accesses(part, pool);
  for (std::int64_t begin = 0; begin < count; begin += part) {
    const std::uint32_t* const first = values.data() + begin;
    accesses.collect(
        std::min(part, count - begin), num_values, [first](std::int64_t k) { return first[k]; },
        [begin](std::int64_t k) { return static_cast<std::uint32_t>(begin + k); });
    accesses.visit([&](std::span<const PlaceAccess> bucket, std::size_t /*begin*/, std::size_t /*end*/) {
      for (const PlaceAccess& access : bucket) {
        place(access.place, access.value);
      }
    });
  }
}

void invert_documents(const SampleOrder& order, ThreadPool* pool, std::span<std::int32_t> positions) {
  const auto num_epochs = static_cast<std::size_t>(order.num_epochs());
  const std::size_t num_documents = positions.size() / num_epochs;
  // Document numbers are never negative: the same bits without a sign.
  const std::span documents(reinterpret_cast<const std::uint32_t*>(order.document_index().data()),
                            positions.size());
  std::vector<std::int32_t> seen(num_epochs == 1 ? 0 : num_documents, 0);
  place_all(documents, static_cast<std::int64_t>(num_documents), pool,
            [&](std::size_t document, std::uint32_t index) {
              const int epoch = num_epochs == 1 ? 0 : seen[document]++;
              positions[document * num_epochs + static_cast<std::size_t>(epoch)] =
                  static_cast<std::int32_t>(index);
            });
}

void invert_shuffle(std::span<const std::uint32_t> shuffle, ThreadPool* pool,
                    std::span<std::uint32_t> samples) {
  place_all(shuffle, static_cast<std::int64_t>(shuffle.size()), pool,
            [&](std::size_t row, std::uint32_t sample) { samples[row] = sample; });
}

}  // namespace

Result<OrderInverse> OrderInverse::make(const SampleOrder& order, const Hash128& fingerprint,
                                        IndexCache* cache, ThreadPool* pool) {
  const SampleOrderArrays& arrays = order.arrays();
  const auto invert = [&]() -> Result<IndexArrays> {
    const auto storage =
        std::make_shared<const Storage>(static_cast<std::int64_t>(arrays.document_index.size()),
                                        static_cast<std::int64_t>(arrays.shuffle_index.size()));
    invert_documents(order, pool, storage->positions.span());
    invert_shuffle(arrays.shuffle_index, pool, storage->samples.span());
    return IndexArrays{{std::as_bytes(storage->positions.span()), std::as_bytes(storage->samples.span())},
                       storage};
  };
  const auto num_bytes =
      static_cast<std::int64_t>(arrays.document_index.size_bytes() + arrays.shuffle_index.size_bytes());
  const bool is_cached = cache != nullptr && num_bytes >= kCachedBytes;
  TRY_ASSIGN(const IndexArrays made,
             is_cached ? cache->load_or_make("inverse", fingerprint, invert) : invert());
  OrderInverse inverse;
  inverse.order_ = &order;
  inverse.positions_ = made.as<std::int32_t>(0);
  inverse.samples_ = made.as<std::uint32_t>(1);
  inverse.storage_ = made.storage;
  if (inverse.positions_.size() != arrays.document_index.size() ||
      inverse.samples_.size() != arrays.shuffle_index.size()) {
    return bad_data("the inverse of an order has arrays of other sizes than the order");
  }
  return inverse;
}

std::vector<DocumentUse> OrderInverse::uses_of(std::int64_t document) const {
  const auto num_epochs = static_cast<std::size_t>(order_->num_epochs());
  const std::span<const StreamPosition> starts = order_->arrays().starts;
  std::vector<DocumentUse> uses;
  for (const std::int32_t position :
       positions_.subspan(static_cast<std::size_t>(document) * num_epochs, num_epochs)) {
    // From the last sample that begins before the document to the last that begins in it.
    const auto after = std::ranges::lower_bound(starts, position, {}, &StreamPosition::index);
    const std::int64_t first = std::max<std::int64_t>(after - starts.begin() - 1, 0);
    for (std::int64_t row = first;
         row < order_->num_samples() && starts[static_cast<std::size_t>(row)].index <= position; ++row) {
      const std::int64_t sample =
          samples_.empty() ? row : std::int64_t{samples_[static_cast<std::size_t>(row)]};
      order_->visit_pieces(sample, [&](std::int64_t index, const TokenSpan& span, bool is_first) {
        if (index == position) {
          uses.push_back({sample, span, is_first});
        }
      });
    }
  }
  std::ranges::sort(uses, {}, &DocumentUse::sample);
  return uses;
}

}  // namespace cairn::data
