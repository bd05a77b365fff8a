#include "device/stream_line.h"

#include <array>
#include <cstdint>
#include <numeric>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(StreamLine, CopiesALineAndNoMore) {
  alignas(kLineBytes) std::array<std::uint8_t, kLineBytes> line{};
  std::iota(line.begin(), line.end(), std::uint8_t{1});
  alignas(kLineBytes) std::array<std::uint8_t, 3 * kLineBytes> target{};
  stream_line(target.data() + kLineBytes, line.data());
  stream_fence();
  for (std::size_t i = 0; i < target.size(); ++i) {
    const bool is_inside = i >= kLineBytes && i < 2 * kLineBytes;
    EXPECT_EQ(target[i], is_inside ? line[i - kLineBytes] : 0) << i;
  }
}

}  // namespace
}  // namespace cairn
