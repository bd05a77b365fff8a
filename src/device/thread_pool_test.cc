#include "device/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(StaticBlock, CoversEveryIndexOnceInOrderWithNearlyEqualBlocks) {
  for (const std::int64_t count : {0, 1, 5, 64, 1000}) {
    for (const std::int64_t parts : {1, 2, 3, 7}) {
      for (const std::int64_t grain : {1, 4, 32}) {
        std::int64_t next = 0;
        std::int64_t least = count;
        std::int64_t most = 0;
        for (std::int64_t part = 0; part < parts; ++part) {
          const IndexRange block = static_block(count, part, parts, grain);
          EXPECT_EQ(block.begin, next);
          EXPECT_LE(block.begin, block.end);
          EXPECT_TRUE(block.begin % grain == 0 || block.begin == count);
          least = std::min(least, block.end - block.begin);
          most = std::max(most, block.end - block.begin);
          next = block.end;
        }
        EXPECT_EQ(next, count);
        EXPECT_LT(most - least, 2 * grain);
      }
    }
  }
}

TEST(ThreadPool, RunsTheBodyOnceOnEachWorkerAndWaits) {
  for (const int num_threads : {1, 2, 3, 5}) {
    ThreadPool pool(num_threads);
    std::vector<int> calls(static_cast<std::size_t>(num_threads));
    // Many short rounds meet both ways of waiting; the plain ints prove that run() synchronises.
    for (int round = 1; round <= 2000; ++round) {
      pool.run([&](int thread_index) { ++calls[static_cast<std::size_t>(thread_index)]; });
      for (const int count : calls) {
        ASSERT_EQ(count, round);
      }
    }
  }
}

TEST(ThreadPool, WakesWorkersThatHaveGoneToSleep) {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
    std::atomic<int> calls{0};
    pool.run([&](int thread_index) {
      // The caller's part takes longer than anybody spins, then the other's does.
      while (thread_index == round % 2 && std::chrono::steady_clock::now() < end) {
      }
      ++calls;
    });
    EXPECT_EQ(calls, 2);
  }
}

TEST(ThreadPool, ParallelForCoversTheRangeOnceAndKeepsSmallOnesOnTheCaller) {
  ThreadPool pool(3);
  std::vector<int> visits(1001);
  pool.parallel_for(1001, 10, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      ++visits[static_cast<std::size_t>(i)];
    }
  });
  EXPECT_EQ(visits, std::vector<int>(1001, 1));
  int calls = 0;
  pool.parallel_for(10, 10, [&](std::int64_t begin, std::int64_t end) {
    ++calls;
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 10);
  });
  pool.parallel_for(0, 10, [&](std::int64_t /*begin*/, std::int64_t /*end*/) { ++calls; });
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace cairn
