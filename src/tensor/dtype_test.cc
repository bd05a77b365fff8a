#include "tensor/dtype.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr int kNumDTypes = 13;

TEST(DType, NamesRoundTripAndSizesMatchTheNames) {
  for (int i = 0; i < kNumDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    const std::string name(dtype_name(dtype));
    EXPECT_EQ(dtype_from_name(name), dtype) << name;
    const std::size_t digits = name.find_first_of("0123456789");
    const int bits = digits == std::string::npos ? 8 : std::stoi(name.substr(digits));
    EXPECT_EQ(dtype_size(dtype) * 8, bits) << name;
  }
}

TEST(DType, UnknownNamesAreNothing) {
  for (const char* name : {"", "f32", "F8_E4M3", "F32 ", "FLOAT"}) {
    EXPECT_FALSE(dtype_from_name(name).has_value()) << name;
  }
}

TEST(DType, TypesOfTheLanguageHaveTheirSizes) {
  EXPECT_EQ(dtype_size(DTypeOf<float>::kValue), static_cast<std::int64_t>(sizeof(float)));
  EXPECT_EQ(dtype_size(DTypeOf<double>::kValue), static_cast<std::int64_t>(sizeof(double)));
  EXPECT_EQ(dtype_size(DTypeOf<BFloat16>::kValue), static_cast<std::int64_t>(sizeof(BFloat16)));
  EXPECT_EQ(dtype_size(DTypeOf<std::int64_t>::kValue), 8);
  EXPECT_EQ(dtype_size(DTypeOf<std::int32_t>::kValue), 4);
  EXPECT_EQ(dtype_size(DTypeOf<std::uint16_t>::kValue), 2);
  EXPECT_EQ(dtype_size(DTypeOf<std::uint8_t>::kValue), 1);
}

TEST(BFloat16, EveryValueSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const BFloat16 value = {static_cast<std::uint16_t>(bits)};
    const float wide = bfloat16_to_float(value);
    const BFloat16 back = float_to_bfloat16(wide);
    if (std::isnan(wide)) {
      ASSERT_TRUE(std::isnan(bfloat16_to_float(back)));
      ASSERT_EQ(back.bits & 0x8000, value.bits & 0x8000);
    } else {
      ASSERT_EQ(back.bits, value.bits);
    }
  }
}

// Between each value and the next: below the middle down, above it up, the middle to the even one.
TEST(BFloat16, RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x7F80; ++bits) {
    const std::uint32_t low = bits << 16;
    const auto rounded = [&](std::uint32_t offset) {
      return float_to_bfloat16(std::bit_cast<float>(low + offset)).bits;
    };
    ASSERT_EQ(rounded(0x7FFF), bits);
    ASSERT_EQ(rounded(0x8001), bits + 1);
    ASSERT_EQ(rounded(0x8000), bits + (bits & 1U));
  }
  EXPECT_EQ(float_to_bfloat16(std::numeric_limits<float>::max()).bits,
            0x7F80);  // beyond the largest: infinity
  EXPECT_EQ(float_to_bfloat16(-0.0F).bits, 0x8000);
}

TEST(BFloat16, NanStaysNanWhateverItsPayload) {
  for (const std::uint32_t bits : {0x7F800001U, 0x7FFFFFFFU, 0xFF800001U, 0xFFFFFFFFU, 0x7FC00000U}) {
    EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(std::bit_cast<float>(bits))))) << bits;
  }
}

}  // namespace
}  // namespace cairn
