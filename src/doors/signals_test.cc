#include "doors/signals.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace cairn {
namespace {

TEST(RealSignals, AreNotedNotObeyed) {
  const auto signals = std::move(install_real_signals()).value();
  EXPECT_FALSE(signals->is_stop_requested());
  ::raise(SIGUSR2);
  ::raise(SIGUSR2);
  EXPECT_EQ(signals->count(Signal::kUser2), 2);
  EXPECT_FALSE(signals->was_received(Signal::kTerminate));
  ::raise(SIGTERM);
  EXPECT_TRUE(signals->was_received(Signal::kTerminate));
  EXPECT_TRUE(signals->is_stop_requested());
}

TEST(RealSignals, OneAtATimeAndFreshEachTime) {
  auto first = install_real_signals();
  ASSERT_TRUE(first.ok());
  ::raise(SIGINT);
  EXPECT_EQ(install_real_signals().status().code(), StatusCode::kBug);
  std::move(first).value().reset();
  const auto again = std::move(install_real_signals()).value();
  EXPECT_FALSE(again->is_stop_requested());
}

TEST(RealSignals, HandlersAreRestored) {
  struct sigaction before = {};
  ::sigaction(SIGTERM, nullptr, &before);
  std::move(install_real_signals()).value().reset();
  struct sigaction after = {};
  ::sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(RealSignalsDeathTest, SecondStopEndsAtOnce) {
  const auto stop_twice = [](int first, int second) {
    const auto signals = std::move(install_real_signals()).value();
    ::raise(first);
    ::raise(second);
  };
  EXPECT_EXIT(stop_twice(SIGTERM, SIGTERM), testing::KilledBySignal(SIGTERM), "");
  EXPECT_EXIT(stop_twice(SIGTERM, SIGINT), testing::KilledBySignal(SIGINT), "");
}

TEST(SimSignals, CountsWhatWasRaised) {
  SimSignals signals;
  EXPECT_FALSE(signals.is_stop_requested());
  signals.raise(Signal::kInterrupt);
  EXPECT_EQ(signals.count(Signal::kInterrupt), 1);
  EXPECT_TRUE(signals.is_stop_requested());
}

}  // namespace
}  // namespace cairn
