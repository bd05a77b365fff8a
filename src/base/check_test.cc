#include "base/check.h"

#include <string>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(CheckDeathTest, FailureShowsPlaceConditionAndMessage) {
  const int answer = 41;
  EXPECT_DEATH(CHECK(answer == 42, std::string("not the answer")),
               "check_test.cc:.*CHECK failed: answer == 42: not the answer");
}

TEST(Check, MessageIsMadeOnlyOnFailure) {
  int num_made = 0;
  const auto message = [&num_made] {
    ++num_made;
    return std::string("made");
  };
  CHECK(true, message());
  EXPECT_EQ(num_made, 0);
}

}  // namespace
}  // namespace cairn
