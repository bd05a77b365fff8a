// Very many random accesses to an array that no cache holds, in an order that caches like. The accesses are partitioned by
// the high bits of their place, as a radix sort does (lines collected in the cache and streamed out: Wassenberg & Sanders
// 2011, "Engineering a multi-core radix sort"), made bucket by bucket, and the results handed back in the order of the
// requests. Accesses to one place happen in the order in which they were requested.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/check.h"
#include "data/parts.h"
#include "device/large_array.h"
#include "device/stream_line.h"
#include "device/thread_pool.h"

namespace cairn::data {

struct BucketCuts {
  int bucket_bits_max = 11;  // at most 2^this buckets: each needs a cache line while they are filled
  int place_bits_min = 12;   // at least 2^this places in one
};

// What is asked of one place: `value` goes there with the request and comes back with the result.
struct PlaceAccess {
  std::uint32_t place;
  std::uint32_t value;
};

class BucketedAccess {
 public:
  // At most `requests_max` at a time, with 8 bytes of memory each. `pool` may be null.
  BucketedAccess(std::int64_t requests_max, ThreadPool* pool, const BucketCuts& cuts = {})
      : pool_(pool), num_parts_(num_parts(pool)), cuts_(cuts), accesses_(requests_max) {
    CHECK(requests_max <= std::numeric_limits<std::uint32_t>::max(), "too many requests at a time");
  }

  // Requests k = 0, 1, ..., count - 1 of places [0, num_places). One whose place lies behind them is handed back as it
  // came. place_of(k) and value_of(k) are called from several threads.
  template <class PlaceOf, class ValueOf>
  void collect(std::int64_t count, std::int64_t num_places, PlaceOf place_of, ValueOf value_of);

  // Calls visit(accesses, first place, behind the last place) once for each bucket, from several threads; `visit` makes the
  // accesses in order, replacing values by results.
  template <class Visit>
  void visit(Visit visit);

  // Calls take(k, result) for every request, in order within each thread. `place_of` as it was in collect().
  template <class PlaceOf, class Take>
  void hand_back(PlaceOf place_of, Take take);

 private:
  static constexpr std::uint32_t kPerLine = kLineBytes / sizeof(PlaceAccess);
  struct alignas(kLineBytes) Line {
    std::array<PlaceAccess, kPerLine> accesses;
  };

  std::size_t bucket_of(std::uint32_t place) const {
    return place < num_places_ ? place >> shift_ : num_buckets_;
  }
  // Where the requests of each part go in each bucket, the one for places behind the last among them.
  std::span<std::uint32_t> row(std::vector<std::uint32_t>& table, int part) const {
    return std::span(table).subspan(static_cast<std::size_t>(part) * (num_buckets_ + 1), num_buckets_ + 1);
  }
  IndexRange requests_of(int part) const { return static_block(count_, part, num_parts_); }

  void cut(std::int64_t count, std::int64_t num_places);
  void lay_out();
  template <class PlaceOf, class ValueOf>
  void scatter(int part, PlaceOf place_of, ValueOf value_of);

  ThreadPool* pool_;
  int num_parts_;
  BucketCuts cuts_;
  LargeArray<PlaceAccess> accesses_;
  std::int64_t count_ = 0;
  std::uint64_t num_places_ = 0;
  int shift_ = 0;
  std::size_t num_buckets_ = 0;
  std::vector<std::uint32_t> counts_;  // of each part and bucket
  std::vector<std::uint32_t> begins_;  // likewise, in accesses_
};

template <class PlaceOf, class ValueOf>
void BucketedAccess::collect(std::int64_t count, std::int64_t num_places, PlaceOf place_of,
                             ValueOf value_of) {
  cut(count, num_places);
  for_parts(pool_, [&](int part) {
    const std::span<std::uint32_t> counts = row(counts_, part);
    const IndexRange requests = requests_of(part);
    for (std::int64_t k = requests.begin; k < requests.end; ++k) {
      ++counts[bucket_of(place_of(k))];
    }
  });
  lay_out();
  for_parts(pool_, [&](int part) { scatter(part, place_of, value_of); });
}

template <class PlaceOf, class ValueOf>
void BucketedAccess::scatter(int part, PlaceOf place_of, ValueOf value_of) {
  std::vector<Line> lines(num_buckets_ + 1);
  const std::span<std::uint32_t> begins = row(begins_, part);
  std::vector<std::uint32_t> ends(begins.begin(), begins.end());
  PlaceAccess* const accesses = accesses_.span().data();
  // A line that begins with another part's requests is filled from where this one's begin.
  const auto copy_line = [&](std::size_t bucket, std::uint32_t end) {
    const std::uint32_t line_begin = (end - 1) / kPerLine * kPerLine;
    for (std::uint32_t at = std::max(begins[bucket], line_begin); at < end; ++at) {
      accesses[at] = lines[bucket].accesses[at % kPerLine];
    }
  };
  const IndexRange requests = requests_of(part);
  for (std::int64_t k = requests.begin; k < requests.end; ++k) {
    const std::uint32_t place = place_of(k);
    const std::size_t bucket = bucket_of(place);
    const std::uint32_t at = ends[bucket]++;
    lines[bucket].accesses[at % kPerLine] = {place, value_of(k)};
    if (at % kPerLine == kPerLine - 1) {
      if (at - begins[bucket] >= kPerLine - 1) {
        stream_line(accesses + (at - (kPerLine - 1)), &lines[bucket]);
      } else {
        copy_line(bucket, at + 1);
      }
    }
  }
  for (std::size_t bucket = 0; bucket <= num_buckets_; ++bucket) {
    if (ends[bucket] > begins[bucket] && ends[bucket] % kPerLine != 0) {
      copy_line(bucket, ends[bucket]);
    }
  }
  stream_fence();
}

template <class Visit>
void BucketedAccess::visit(Visit visit) {
  for_parts(pool_, [&](int part) {
    const IndexRange buckets = static_block(static_cast<std::int64_t>(num_buckets_), part, num_parts_);
    for (std::int64_t b = buckets.begin; b < buckets.end; ++b) {
      const auto bucket = static_cast<std::size_t>(b);
      const std::size_t begin = row(begins_, 0)[bucket];
      const std::size_t end = row(begins_, 0)[bucket + 1];  // the places behind the last have a bucket too
      visit(accesses_.span().subspan(begin, end - begin), bucket << shift_,
            std::min<std::size_t>((bucket + 1) << shift_, num_places_));
    }
  });
}

template <class PlaceOf, class Take>
void BucketedAccess::hand_back(PlaceOf place_of, Take take) {
  for_parts(pool_, [&](int part) {
    const std::span<std::uint32_t> begins = row(begins_, part);
    std::vector<std::uint32_t> next(begins.begin(), begins.end());
    const PlaceAccess* const accesses = accesses_.span().data();
    const IndexRange requests = requests_of(part);
    for (std::int64_t k = requests.begin; k < requests.end; ++k) {
      const std::uint32_t at = next[bucket_of(place_of(k))]++;
      if (at % kPerLine == 0) {  // so many places at once are beyond what the CPU reads ahead by itself
        __builtin_prefetch(accesses + at + kPerLine);
      }
      take(k, accesses[at].value);
    }
  });
}

}  // namespace cairn::data
