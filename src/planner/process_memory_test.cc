#include "planner/process_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::planner {
namespace {

using ::testing::HasSubstr;

TEST(ProcessMemory, IsArenasAndDataAndProgramAndThreads) {
  const ProcessMemory memory = estimate_process_memory(1'000'000, 2000, 3);
  EXPECT_EQ(memory.arena_bytes, 1'000'000);
  EXPECT_EQ(memory.data_bytes, 2000);
  EXPECT_EQ(memory.total(), 1'002'000 + kProcessBaseBytes + 3 * kThreadBytes);
}

TEST(ProcessMemory, WhatDoesNotFitIsRefusedWithTheNumbers) {
  const std::int64_t gib = std::int64_t{1} << 30;
  const ProcessMemory memory = estimate_process_memory(2 * gib, 0, 1);
  EXPECT_TRUE(check_memory_fits(memory, memory.total()).ok());
  const Status status = check_memory_fits(memory, memory.total() - 1);
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_THAT(status.message(), HasSubstr("train.microbatch"));
  EXPECT_THAT(check_memory_fits(estimate_process_memory(gib, 30 * gib, 1), gib).message(),
              HasSubstr("lower train.samples"));
}

}  // namespace
}  // namespace cairn::planner
