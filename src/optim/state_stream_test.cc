// The bits of a streamed update are compared on a GPU in optimizer_backends_test.cc.
#include "optim/state_stream.h"

#include <gtest/gtest.h>

namespace cairn::optim {
namespace {

TEST(StateStream, ChunksAreAlignedAndNoLargerThanTheLargestParameterNeeds) {
  EXPECT_EQ(StateStream::chunk_elements(1), kTensorAlignment / 4);
  EXPECT_EQ(StateStream::chunk_elements(65), 2 * kTensorAlignment / 4);
  EXPECT_EQ(StateStream::chunk_elements(std::int64_t{1} << 40), StateStream::kChunkMax);
  for (const std::int64_t largest : {3, 1000, 123'456, 99'999'999}) {
    EXPECT_EQ(StateStream::chunk_elements(largest) * std::int64_t{sizeof(float)} % kTensorAlignment, 0);
  }
}

}  // namespace
}  // namespace cairn::optim
