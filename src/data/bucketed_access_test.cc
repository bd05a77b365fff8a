#include "data/bucketed_access.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

struct Requests {
  std::vector<std::uint32_t> places;
  std::vector<std::uint32_t> values;
};

// One exchange a request, in order: what BucketedAccess must be indistinguishable from.
std::vector<std::uint32_t> exchange_in_order(const Requests& requests, std::vector<std::uint32_t>& array) {
  std::vector<std::uint32_t> results = requests.values;
  for (std::size_t k = 0; k < results.size(); ++k) {
    if (requests.places[k] < array.size()) {
      std::swap(results[k], array[requests.places[k]]);
    }
  }
  return results;
}

std::vector<std::uint32_t> exchange_in_buckets(const Requests& requests, std::vector<std::uint32_t>& array,
                                               BucketedAccess& accesses) {
  std::vector<std::uint32_t> results(requests.places.size());
  const auto place = [&](std::int64_t k) { return requests.places[static_cast<std::size_t>(k)]; };
  accesses.collect(static_cast<std::int64_t>(results.size()), static_cast<std::int64_t>(array.size()), place,
                   [&](std::int64_t k) { return requests.values[static_cast<std::size_t>(k)]; });
  accesses.visit([&](std::span<PlaceAccess> bucket, std::size_t begin, std::size_t end) {
    for (PlaceAccess& access : bucket) {
      EXPECT_TRUE(access.place >= begin && access.place < end && end <= array.size());
      std::swap(access.value, array[access.place]);
    }
  });
  accesses.hand_back(
      place, [&](std::int64_t k, std::uint32_t value) { results[static_cast<std::size_t>(k)] = value; });
  return results;
}

TEST(BucketedAccess, IsAsIfInOrder) {
  const std::uint32_t seed = 31;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  ThreadPool pool(3);
  for (int round = 0; round < 400; ++round) {
    const BucketCuts cuts = {static_cast<int>(random() % 6), static_cast<int>(random() % 4)};
    BucketedAccess accesses(500, round % 2 == 0 ? &pool : nullptr, cuts);
    for (int again = 0; again < 2; ++again) {  // an object is used many times
      std::vector<std::uint32_t> array(random() % 100);
      for (std::uint32_t& element : array) {
        element = static_cast<std::uint32_t>(random());
      }
      Requests requests;
      for (std::size_t k = random() % 501; k > 0; --k) {
        requests.places.push_back(static_cast<std::uint32_t>(random() % (array.size() + 5)));
        requests.values.push_back(static_cast<std::uint32_t>(random()));
      }
      std::vector<std::uint32_t> expected = array;
      const std::vector<std::uint32_t> results = exchange_in_order(requests, expected);
      ASSERT_EQ(exchange_in_buckets(requests, array, accesses), results);
      ASSERT_EQ(array, expected);
    }
  }
}

}  // namespace
}  // namespace cairn::data
