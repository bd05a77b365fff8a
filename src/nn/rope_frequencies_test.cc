#include "nn/rope_frequencies.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace cairn::nn {
namespace {

// One unit in the last place of float32 is 1.2e-7 relative; the power and the quotient round once each.
constexpr double kTolerance = 4e-7;

TEST(RopeFrequencies, PlainOnesArePowersOfTheta) {
  const std::vector<float> frequencies = rope_inverse_frequencies({RopeType::kDefault, 500000.0}, 128);
  ASSERT_EQ(frequencies.size(), 64U);
  EXPECT_EQ(frequencies[0], 1.0F);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double expected = std::pow(500000.0, -2.0 * static_cast<double>(i) / 128.0);
    EXPECT_NEAR(static_cast<double>(frequencies[i]) / expected, 1.0, kTolerance);
  }
}

TEST(RopeFrequencies, LinearOnesAreDivided) {
  const std::vector<float> plain = rope_inverse_frequencies({RopeType::kDefault, 10000.0}, 24);
  const std::vector<float> linear = rope_inverse_frequencies({RopeType::kLinear, 10000.0, 4.0}, 24);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(linear[i], plain[i] / 4.0F);
  }
}

TEST(RopeFrequencies, Llama3ScalesByWavelength) {
  const RopeConfig rope{RopeType::kLlama3, 12e6, 8.0, 1.0, 4.0, 8192};
  const std::vector<float> scaled = rope_inverse_frequencies(rope, 128);
  int num_kept = 0;
  int num_divided = 0;
  int num_blended = 0;
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    const double plain = std::pow(12e6, -2.0 * static_cast<double>(i) / 128.0);
    const double wavelength = 2.0 * std::numbers::pi / plain;
    double expected = plain;
    if (wavelength > 8192.0) {
      expected = plain / 8.0;
      ++num_divided;
    } else if (wavelength < 2048.0) {
      ++num_kept;
    } else {
      const double smooth = (8192.0 / wavelength - 1.0) / 3.0;
      expected = plain * ((1.0 - smooth) / 8.0 + smooth);
      ++num_blended;
    }
    EXPECT_NEAR(static_cast<double>(scaled[i]) / expected, 1.0, 2e-6) << i;
  }
  EXPECT_GT(num_kept, 0);
  EXPECT_GT(num_divided, 0);
  EXPECT_GT(num_blended, 0);
}

}  // namespace
}  // namespace cairn::nn
