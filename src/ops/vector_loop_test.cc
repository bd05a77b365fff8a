#include "ops/vector_loop.h"

#include <vector>

#include <gtest/gtest.h>

namespace cairn::ops {
namespace {

TEST(VectorLoop, LanesAreFixed) {
  // Elements i and i + 16 share a lane; lane 0 meets lane 8 first, then 4, 2, 1.
  Lanes<float> lanes{};
  std::vector<float> x(37);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i);
  }
  add_to_lanes(lanes, 37, [&](std::int64_t i) { return x[static_cast<std::size_t>(i)]; });
  EXPECT_EQ(lanes[0], 0.0F + 16.0F + 32.0F);
  EXPECT_EQ(lanes[4], 4.0F + 20.0F + 36.0F);
  EXPECT_EQ(lanes[5], 5.0F + 21.0F);
  EXPECT_EQ(sum_lanes(lanes), 37.0F * 36.0F / 2.0F);
}

TEST(VectorLoop, SumsPairwise) {
  Lanes<float> lanes{};
  lanes[0] = 1.0F;
  lanes[1] = 0x1.0p-24F;
  lanes[8] = 0x1.0p-24F;  // joins lane 0 first and is rounded away (ties to even)
  EXPECT_EQ(sum_lanes(lanes), 1.0F);
  lanes[9] = 0x1.0p-24F;  // joins lane 1: together they count
  EXPECT_EQ(sum_lanes(lanes), 1.0F + 0x1.0p-23F);
}

}  // namespace
}  // namespace cairn::ops
