#include "parallel/schedule.h"

#include <gtest/gtest.h>

namespace cairn::parallel {
namespace {

TEST(AccumulationSchedule, RunsEveryMicrobatchOnceForwardThenBackward) {
  for (std::int64_t count = 1; count <= 9; ++count) {
    std::int64_t next_forward = 0;
    std::int64_t next_backward = 0;
    for (const WorkItem& item : accumulation_schedule(count)) {
      if (item.phase == WorkItem::Phase::kForward) {
        EXPECT_EQ(item.microbatch, next_forward++);
      } else if (item.phase == WorkItem::Phase::kBackward) {
        EXPECT_EQ(item.microbatch, next_backward++);
        EXPECT_EQ(next_backward, next_forward) << "one microbatch is in flight";
      } else {
        EXPECT_EQ(item.microbatch + 1, next_backward) << "reduced right after its backward";
      }
    }
    EXPECT_EQ(next_forward, count);
    EXPECT_EQ(next_backward, count);
  }
}

}  // namespace
}  // namespace cairn::parallel
