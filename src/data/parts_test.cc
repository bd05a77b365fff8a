#include "data/parts.h"

#include <vector>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

TEST(Parts, EachIsDoneOnce) {
  ThreadPool three(3);
  for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), &three}) {
    std::vector<int> calls(static_cast<std::size_t>(num_parts(pool)));
    for_parts(pool, [&](int part) { ++calls[static_cast<std::size_t>(part)]; });
    EXPECT_EQ(calls, std::vector<int>(calls.size(), 1));
  }
  EXPECT_EQ(num_parts(&three), 3);
  EXPECT_EQ(num_parts(nullptr), 1);
}

}  // namespace
}  // namespace cairn::data
