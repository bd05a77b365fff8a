#include "data/numpy_random.h"

#include <vector>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

// RandomState(5).randint(0, 2**32, dtype=uint32) of numpy 2.4.
TEST(NumpyRandomState, DrawsWhatNumpyDraws) {
  NumpyRandomState random(5);
  for (const std::uint32_t expected : {953453411U, 236996814U, 3739766767U, 3570525885U, 887852006U}) {
    EXPECT_EQ(random.next_uint32(), expected);
  }
}

TEST(NumpyRandomState, PartnersAreIntervalsThatFall) {
  std::uint32_t seed = 0;
  for (const std::uint32_t first :
       {1U, 2U, 15U, 16U, 17U, 33U, 1000U, 4095U, 4096U, 4100U, 0x7FFFFFFFU, 0x80000010U, 0xFFFFFFFFU}) {
    for (const std::size_t count : {1U, 15U, 16U, 17U, 500U, 5000U}) {
      if (count > first) {
        continue;
      }
      NumpyRandomState one(++seed);
      NumpyRandomState many(seed);
      one.next_uint32();
      many.next_uint32();
      std::vector<std::uint32_t> partners(count);
      many.draw_partners(first, partners);
      for (std::size_t k = 0; k < count; ++k) {
        ASSERT_EQ(partners[k], one.interval(first - k)) << "of " << first << ", " << k;
      }
      ASSERT_EQ(many.next_uint32(), one.next_uint32());
    }
  }
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
