#include "base/check.h"

#include <csignal>
#include <string>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(CheckDeathTest, FailureShowsPlaceConditionAndMessage) {
  const int answer = 41;
  EXPECT_DEATH(CHECK(answer == 42, std::string("not the answer")),
               "check_test.cc:.*CHECK failed: answer == 42: not the answer");
}

// Builds for finding bugs end by SIGABRT: a core file, a finding of the sanitizer or the fuzzer.
bool ends_as_documented(int status) {
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
  return testing::ExitedWithCode(70)(status);
#else
  return testing::ExitedWithCode(70)(status) || testing::KilledBySignal(SIGABRT)(status);
#endif
}

TEST(CheckDeathTest, EndsWithTheExitCodeOfABug) {
  EXPECT_EXIT(CHECK(1 + 1 == 3, "arithmetic"), ends_as_documented, "arithmetic");
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
