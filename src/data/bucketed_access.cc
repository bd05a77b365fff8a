#include "data/bucketed_access.h"

namespace cairn::data {

void BucketedAccess::cut(std::int64_t count, std::int64_t num_places) {
  CHECK(count >= 0 && count <= static_cast<std::int64_t>(accesses_.span().size()),
        "more requests than announced");
  CHECK(num_places >= 0 && num_places <= std::int64_t{1} << 32, "places are 32-bit numbers");
  count_ = count;
  num_places_ = static_cast<std::uint64_t>(num_places);
  const std::uint64_t last = num_places_ == 0 ? 0 : num_places_ - 1;
  shift_ = std::max(cuts_.place_bits_min, static_cast<int>(std::bit_width(last)) - cuts_.bucket_bits_max);
  num_buckets_ = num_places_ == 0 ? 0 : static_cast<std::size_t>(last >> shift_) + 1;
  counts_.assign(static_cast<std::size_t>(num_parts_) * (num_buckets_ + 1), 0);
}

// Bucket by bucket, and in each the parts in order, so that requests of one place stay in order.
void BucketedAccess::lay_out() {
  begins_.resize(counts_.size());
  std::uint32_t at = 0;
  for (std::size_t bucket = 0; bucket <= num_buckets_; ++bucket) {
    for (int part = 0; part < num_parts_; ++part) {
      row(begins_, part)[bucket] = at;
      at += row(counts_, part)[bucket];
    }
  }
}

}  // namespace cairn::data
