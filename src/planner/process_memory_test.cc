#include "planner/process_memory.h"

#include <gtest/gtest.h>

namespace cairn::planner {
namespace {

TEST(ProcessMemory, IsArenasAndProgramAndThreads) {
  const ProcessMemory memory = estimate_process_memory(1'000'000, 3);
  EXPECT_EQ(memory.arena_bytes, 1'000'000);
  EXPECT_EQ(memory.total(), 1'000'000 + kProcessBaseBytes + 3 * kThreadBytes);
}

}  // namespace
}  // namespace cairn::planner
