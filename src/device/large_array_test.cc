#include "device/large_array.h"

#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(LargeArray, HoldsItsElementsWhateverTheSize) {
  for (const std::int64_t size : {1, 63, 1 << 20, (1 << 20) + 1, 3'000'001}) {
    const LargeArray<std::uint32_t> array(size);
    const auto values = array.span();
    ASSERT_EQ(values.size(), static_cast<std::size_t>(size));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(values.data()) % 64, 0U);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<std::uint32_t>(i * 7);
    }
    EXPECT_EQ(values.back(), static_cast<std::uint32_t>((values.size() - 1) * 7));
  }
  EXPECT_TRUE(LargeArray<std::uint32_t>(0).span().empty());
}

TEST(LargeVector, IsAVector) {
  LargeVector<std::uint64_t> values(10, 7);
  values.resize(3'000'000, 8);
  EXPECT_EQ(values[9], 7U);
  EXPECT_EQ(values[10], 8U);
  EXPECT_EQ(values.back(), 8U);
  const LargeVector<std::uint64_t> moved = std::move(values);
  EXPECT_EQ(moved.size(), 3'000'000U);
}

}  // namespace
}  // namespace cairn
