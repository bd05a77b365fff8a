#include "ops/gemm_tiles.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::ops::cpu {
namespace {

// Panels of either packing hold the same numbers: step k, line i at [panel][k][i].
template <int Width>
void expect_packed(std::int64_t lines, std::int64_t depth) {
  std::vector<float> by_line(static_cast<std::size_t>(lines * depth));
  std::vector<float> by_step(by_line.size());
  for (std::int64_t i = 0; i < lines; ++i) {
    for (std::int64_t k = 0; k < depth; ++k) {
      const auto value = static_cast<float>(i * depth + k);
      by_line[static_cast<std::size_t>(i * depth + k)] = value;
      by_step[static_cast<std::size_t>(k * lines + i)] = value;
    }
  }
  const std::int64_t floats = round_up(lines, Width) * depth + 64;
  for (const bool is_k_major : {false, true}) {
    std::vector<float> packed(static_cast<std::size_t>(floats), NAN);
    pack_block<Width>(is_k_major ? by_step.data() : by_line.data(), is_k_major ? lines : depth, is_k_major,
                      {0, lines}, {0, depth}, packed.data());
    for (std::int64_t i = 0; i < lines; ++i) {
      for (std::int64_t k = 0; k < depth; ++k) {
        const std::int64_t at = i / Width * Width * depth + k * Width + i % Width;
        ASSERT_EQ(packed[static_cast<std::size_t>(at)], static_cast<float>(i * depth + k))
            << "line " << i << ", step " << k << ", k-major " << is_k_major;
      }
    }
  }
}

TEST(GemmTiles, BothPackingsGiveTheSamePanels) {
  for (const std::int64_t lines : {1, 5, 14, 32, 33, 100, 257}) {
    for (const std::int64_t depth : {1, 3, 16, 37, 64}) {
      expect_packed<kTileRows>(lines, depth);
      expect_packed<kTileColumns>(lines, depth);
    }
  }
}

TEST(GemmTiles, EdgesOfABlockStayInside) {
  constexpr std::int64_t kRows = kTileRows + 1;
  constexpr std::int64_t kColumns = kTileColumns + 3;
  constexpr std::int64_t kLd = kColumns + 5;
  const std::vector<float> ones(static_cast<std::size_t>(4 * kTileRows * kTileColumns * 2), 1.0F);
  std::vector<float> c(static_cast<std::size_t>(kRows * kLd), -7.0F);
  multiply_block({.rows = kRows,
                  .columns = kColumns,
                  .depth = 2,
                  .a = packed_panels(ones.data(), 2),
                  .packed_b = ones.data(),
                  .c = c.data(),
                  .ldc = kLd,
                  .starts_from_c = false});
  for (std::int64_t i = 0; i < kRows; ++i) {
    for (std::int64_t j = 0; j < kLd; ++j) {
      EXPECT_EQ(c[static_cast<std::size_t>(i * kLd + j)], j < kColumns ? 2.0F : -7.0F) << i << ", " << j;
    }
  }
}

}  // namespace
}  // namespace cairn::ops::cpu
