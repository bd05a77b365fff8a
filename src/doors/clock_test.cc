#include "doors/clock.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(RealClock, SleepsAtLeastAsLongAsAsked) {
  const auto clock = make_real_clock();
  const std::int64_t before = clock->monotonic_ns();
  clock->sleep_for_ns(2'000'000);
  EXPECT_GE(clock->monotonic_ns() - before, 2'000'000);
  clock->sleep_for_ns(-5);
  EXPECT_GT(clock->wall_ns(), 1'600'000'000 * kNsPerSecond);
}

TEST(SimClock, MovesOnlyWhenTold) {
  SimClock clock(1000);
  EXPECT_EQ(clock.wall_ns(), 1000);
  EXPECT_EQ(clock.monotonic_ns(), 0);
  clock.sleep_for_ns(50);
  clock.advance_ns(-7);
  clock.jump_wall_ns(-200);
  EXPECT_EQ(clock.wall_ns(), 850);
  EXPECT_EQ(clock.monotonic_ns(), 50);
}

}  // namespace
}  // namespace cairn
