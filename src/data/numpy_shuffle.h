// RandomState.shuffle of NumPy: for i = n-1, ..., 1 exchange element i with element j <= i, drawn as interval(i).
//
// At a billion elements nearly every j is a miss of cache and address translation. So the exchanges are made in rounds, each
// for the positions i of the upper part of what is left:
//   draw      the round's j
//   inside    exchanges whose j is in that part too are made one after another, reading ahead
//   below     all others change what lies below it. What the exchange of i brings there is known before any of them is
//             made (an element that came up never moves again), so they are independent but for equal j, whose order
//             BucketedAccess keeps
#pragma once

#include <cstdint>
#include <span>

#include "data/bucketed_access.h"
#include "data/numpy_random.h"
#include "device/thread_pool.h"

namespace cairn::data {

// How a shuffle is cut; the result does not depend on it.
struct ShuffleCuts {
  std::int64_t direct_max = 1 << 18;  // so few elements are exchanged one by one, in a cache
  std::int64_t round_share = 4;       // a round takes this part of the positions that are left; at least 2
  BucketCuts buckets;
};

// At most 2^32 - 1 elements; takes 12 bytes of memory for each position of the first round.
void numpy_shuffle(std::span<std::uint32_t> values, NumpyRandomState& random, ThreadPool* pool = nullptr,
                   const ShuffleCuts& cuts = {});

}  // namespace cairn::data
