#include "ops/vector_math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace cairn::ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

double ulp_of(double x) {
  return x == 0.0 ? 0x1.0p-149 : std::max(std::ldexp(1.0, std::ilogb(x) - 23), 0x1.0p-149);
}

// The worst error in ulp over every 1009th float of [low, high], in both signs where they occur.
template <class Function, class Exact>
double worst_ulp(Function function, Exact exact, float low, float high) {
  double worst = 0.0;
  for (std::uint64_t bits = 0; bits < (1ULL << 32U); bits += 1009) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!(x >= low && x <= high)) {
      continue;
    }
    const double expected = exact(static_cast<double>(x));
    const double error = std::abs(static_cast<double>(function(x)) - expected) / ulp_of(expected);
    worst = error <= worst ? worst : error;
  }
  return worst;
}

TEST(VectorMath, ErrorsStayWithinTheStatedUlps) {
  EXPECT_LT(worst_ulp(
                fast_exp, [](double x) { return std::exp(x); }, -103.0F, 88.72F),
            1.0);
  EXPECT_LT(worst_ulp(
                fast_exp_nonpositive, [](double x) { return std::exp(x); }, -87.3F, 0.0F),
            1.0);
  EXPECT_LT(worst_ulp(
                fast_expm1, [](double x) { return std::expm1(x); }, -200.0F, 88.72F),
            1.5);
  EXPECT_LT(worst_ulp(
                fast_log, [](double x) { return std::log(x); }, 0x1.0p-149F, 0x1.FFFFFEp127F),
            0.9);
  EXPECT_LT(worst_ulp(
                fast_sigmoid, [](double x) { return 1.0 / (1.0 + std::exp(-x)); }, -87.0F, kInfinity),
            2.5);
}

TEST(VectorMath, SpecialValues) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(fast_exp(-kInfinity), 0.0F);
  EXPECT_EQ(fast_exp(kInfinity), kInfinity);
  EXPECT_EQ(fast_exp(0.0F), 1.0F);
  EXPECT_TRUE(std::isnan(fast_exp(nan)));
  EXPECT_EQ(fast_exp_nonpositive(-kInfinity), 0.0F);
  EXPECT_EQ(fast_exp_nonpositive(0.0F), 1.0F);
  EXPECT_TRUE(std::isnan(fast_exp_nonpositive(nan)));
  EXPECT_EQ(fast_expm1(-kInfinity), -1.0F);
  EXPECT_EQ(fast_expm1(kInfinity), kInfinity);
  EXPECT_EQ(fast_expm1(0.0F), 0.0F);
  EXPECT_TRUE(std::isnan(fast_expm1(nan)));
  EXPECT_EQ(fast_log(0.0F), -kInfinity);
  EXPECT_EQ(fast_log(1.0F), 0.0F);
  EXPECT_EQ(fast_log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(fast_log(-1.0F)));
  EXPECT_TRUE(std::isnan(fast_log(nan)));
  EXPECT_EQ(fast_sigmoid(-kInfinity), 0.0F);
  EXPECT_EQ(fast_sigmoid(kInfinity), 1.0F);
  EXPECT_EQ(fast_sigmoid(0.0F), 0.5F);
}

}  // namespace
}  // namespace cairn::ops
