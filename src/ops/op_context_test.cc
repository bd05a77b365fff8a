#include "ops/op_context.h"

#include <gtest/gtest.h>

#include "ops/attention_backends.h"
#include "ops/gemm_backends.h"

namespace cairn::ops {
namespace {

TEST(Workspace, HoldsTheLargestOpOnEveryThread) {
  for (const int num_threads : {1, 2, 7, 128}) {
    EXPECT_GE(workspace_bytes(num_threads), num_threads * cpu::gemm_scratch_bytes());
    EXPECT_GE(workspace_bytes(num_threads), num_threads * cpu::attention_scratch_bytes());
  }
}

TEST(Workspace, GrowsByOneAlignedPiecePerThread) {
  EXPECT_EQ(workspace_bytes(5), 5 * workspace_bytes(1));
  EXPECT_EQ(workspace_bytes(1) % 256, 0);
}

}  // namespace
}  // namespace cairn::ops
