#include "data/numpy_shuffle.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

std::vector<std::uint32_t> ascending(std::size_t size) {
  std::vector<std::uint32_t> values(size);
  std::iota(values.begin(), values.end(), std::uint32_t{0});
  return values;
}

// As NumPy's source has it.
std::vector<std::uint32_t> shuffled_one_by_one(std::size_t size, NumpyRandomState& random) {
  std::vector<std::uint32_t> values = ascending(size);
  for (std::size_t i = size; i-- > 1;) {
    std::swap(values[i], values[random.interval(i)]);
  }
  return values;
}

void expect_same(std::size_t size, std::uint32_t seed, ThreadPool* pool, const ShuffleCuts& cuts) {
  SCOPED_TRACE(testing::Message() << size << " elements, seed " << seed << ", direct " << cuts.direct_max
                                  << ", share " << cuts.round_share << ", buckets "
                                  << cuts.buckets.bucket_bits_max << " " << cuts.buckets.place_bits_min);
  NumpyRandomState expected_random(seed);
  NumpyRandomState random(seed);
  const std::vector<std::uint32_t> expected = shuffled_one_by_one(size, expected_random);
  std::vector<std::uint32_t> values = ascending(size);
  numpy_shuffle(values, random, pool, cuts);
  ASSERT_EQ(values, expected);
  ASSERT_EQ(random.next_uint32(), expected_random.next_uint32());  // it drew as often
}

TEST(NumpyShuffle, ShufflesAsNumpyDoes) {
  const auto shuffled = [](std::uint32_t seed) {
    std::vector<std::uint32_t> values = ascending(10);
    NumpyRandomState random(seed);
    numpy_shuffle(values, random);
    return values;
  };
  EXPECT_EQ(shuffled(28), (std::vector<std::uint32_t>{9, 2, 8, 7, 3, 0, 4, 6, 5, 1}));
  EXPECT_EQ(shuffled(0), (std::vector<std::uint32_t>{2, 8, 4, 9, 1, 6, 7, 3, 0, 5}));
  EXPECT_EQ(shuffled(42), (std::vector<std::uint32_t>{8, 1, 5, 0, 7, 2, 9, 4, 3, 6}));
}

TEST(NumpyShuffle, HowItIsCutChangesNothing) {
  ThreadPool pool(3);
  std::uint32_t seed = 0;
  for (std::size_t size = 0; size <= 300; size += size < 70 ? 1 : 23) {
    for (const std::int64_t direct_max : {1, 2, 7, 64}) {
      for (const std::int64_t round_share : {2, 3, 4, 1000}) {
        for (const BucketCuts& buckets : {BucketCuts{0, 0}, {2, 0}, {10, 0}, {10, 3}, {1, 5}}) {
          expect_same(size, seed, seed % 2 == 0 ? &pool : nullptr, {direct_max, round_share, buckets});
          ++seed;
        }
      }
    }
  }
}

TEST(NumpyShuffle, ManyElementsAsTheyAreCutInEarnest) {
  ThreadPool pool(2);
  for (const std::size_t size : {(std::size_t{1} << 18) + 1, std::size_t{1'000'003}, std::size_t{1} << 21}) {
    expect_same(size, 28, &pool, {});
    expect_same(size, 29, nullptr, {1 << 10, 4, {}});
  }
}

}  // namespace
}  // namespace cairn::data
