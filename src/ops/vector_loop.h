// Placed before a loop whose iterations touch only their own elements: lets the compiler use vectors although the
// output may be the same buffer as an input. An annotation, not arithmetic: bits are those of the plain loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#if defined(__clang__)
#define CAIRN_INDEPENDENT_ITERATIONS _Pragma("clang loop vectorize(assume_safety)")
#else
#define CAIRN_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#endif

namespace cairn::ops {

// Sums are taken in this many lanes: element i goes to lane i % kLanes, whatever the width of the machine's
// vectors, and the lanes are then added pairwise.
inline constexpr std::int64_t kLanes = 16;

template <class T>
using Lanes = std::array<T, static_cast<std::size_t>(kLanes)>;

template <class T>
inline T sum_lanes(Lanes<T> lanes) {
  for (std::size_t width = lanes.size() / 2; width > 0; width /= 2) {
    for (std::size_t i = 0; i < width; ++i) {
      lanes[i] += lanes[i + width];
    }
  }
  return lanes[0];
}

// Adds term(i) for i in [0, count) to the lanes.
template <class T, class Term>
inline void add_to_lanes(Lanes<T>& lanes, std::int64_t count, const Term& term) {
  Lanes<T> local = lanes;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      local[static_cast<std::size_t>(lane)] += static_cast<T>(term(i + lane));
    }
  }
  for (std::int64_t lane = 0; i + lane < count; ++lane) {
    local[static_cast<std::size_t>(lane)] += static_cast<T>(term(i + lane));
  }
  lanes = local;
}

}  // namespace cairn::ops
