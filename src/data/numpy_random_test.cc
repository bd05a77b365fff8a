#include "data/numpy_random.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

std::vector<int> shuffled(std::uint32_t seed) {
  std::vector<int> values(10);
  std::iota(values.begin(), values.end(), 0);
  NumpyRandomState(seed).shuffle(std::span(values));
  return values;
}

TEST(NumpyRandomState, ShufflesAsNumpyDoes) {
  EXPECT_EQ(shuffled(28), (std::vector<int>{9, 2, 8, 7, 3, 0, 4, 6, 5, 1}));
  EXPECT_EQ(shuffled(0), (std::vector<int>{2, 8, 4, 9, 1, 6, 7, 3, 0, 5}));
  EXPECT_EQ(shuffled(42), (std::vector<int>{8, 1, 5, 0, 7, 2, 9, 4, 3, 6}));
}

TEST(NumpyRandomState, IntervalsStayInsideAndDrawOneOrTwoWords) {
  NumpyRandomState random(5);
  for (const std::uint64_t max : {0ULL, 1ULL, 6ULL, 0xFFFFFFFFULL, 0x100000000ULL, ~0ULL}) {
    for (int i = 0; i < 100; ++i) {
      EXPECT_LE(random.interval(max), max);
    }
  }
  NumpyRandomState one(9);
  NumpyRandomState two(9);
  EXPECT_EQ(one.interval(0), 0U);  // draws nothing
  const std::uint64_t high = two.next_uint32();
  const std::uint64_t low = two.next_uint32();
  EXPECT_EQ(one.interval(~0ULL), high << 32 | low);
}

}  // namespace
}  // namespace cairn::data
