#include "device/simd.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::simd {
namespace {

TEST(Simd, FmaRoundsOnceInEveryLane) {
  float a[kLanes], b[kLanes], c[kLanes], out[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    a[i] = 1.0F + static_cast<float>(i + 1) * 0x1p-13F;
    b[i] = 1.0F - static_cast<float>(i + 1) * 0x1p-13F;
    c[i] = -1.0F;
  }
  store(out, fma(load(a), load(b), load(c)));
  for (int i = 0; i < kLanes; ++i) {
    EXPECT_EQ(out[i], std::fma(a[i], b[i], c[i])) << i;
    EXPECT_NE(out[i], 0.0F);  // two roundings would give 0
  }
}

TEST(Simd, BroadcastKeepsTheSignOfZero) {
  float out[kLanes];
  store(out, broadcast(-0.0F));
  for (const float x : out) {
    EXPECT_TRUE(std::signbit(x));
  }
}

TEST(Simd, LoadTransposedTurnsRowsIntoColumns) {
  constexpr int kStride = 37;
  std::vector<float> source(static_cast<std::size_t>(kLanes * kStride));
  for (std::size_t i = 0; i < source.size(); ++i) {
    source[i] = static_cast<float>(i);
  }
  const float* rows[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    rows[i] = source.data() + (kLanes - 1 - i) * kStride;  // any order of rows
  }
  constexpr int kOffset = 5;
  Vec columns[kLanes];
  load_transposed(rows, kOffset, columns);
  for (int k = 0; k < kLanes; ++k) {
    for (int i = 0; i < kLanes; ++i) {
      EXPECT_EQ(columns[k][i], rows[i][kOffset + k]) << k << ", " << i;
    }
  }
}

}  // namespace
}  // namespace cairn::simd
