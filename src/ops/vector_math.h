// Elementary functions over float, written so that a plain loop over an array vectorises and so that the
// bits are the same on every machine: only add, multiply, fma, integer work and selects, all exactly
// specified by IEEE 754. libm gives neither. Errors are against the exact value, over all finite inputs.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace cairn::ops {

namespace vector_math_internal {

// 1.5 * 2^23: adding it rounds a small float to an integer that then stands in the low mantissa bits.
inline constexpr float kRounder = 12582912.0F;
inline constexpr std::uint32_t kRounderBits = 0x4B400000U;
inline constexpr float kLog2E = 0x1.715476p0F;
inline constexpr float kLn2High = 0x1.62e400p-1F;
inline constexpr float kLn2Low = 0x1.7f7d1cp-20F;

// 2^n for n in [-126, 127].
inline float power_of_two(std::int32_t n) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(n + 127) << 23);
}

// x = n ln2 + r with |r| <= ln2 / 2 (1 + 2^-9). REQUIRES |x| < 2^21. NaN gives r = NaN and some n.
struct Reduced {
  std::int32_t n;
  float r;
};
inline Reduced reduce_by_ln2(float x) {
  const float shifted = std::fma(x, kLog2E, kRounder);
  const float n = shifted - kRounder;
  const float r = std::fma(n, -kLn2Low, std::fma(n, -kLn2High, x));
  return {static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(shifted) - kRounderBits), r};
}

// e^r - 1 on the reduced range: r + r^2 q(r), q interpolated at the Chebyshev nodes (relative error 6e-10).
inline float expm1_reduced(float r) {
  float q = 0x1.a1267ep-13F;
  q = std::fma(q, r, 0x1.6d44e4p-10F);
  q = std::fma(q, r, 0x1.1110e0p-7F);
  q = std::fma(q, r, 0x1.5554e8p-5F);
  q = std::fma(q, r, 0x1.555556p-3F);
  q = std::fma(q, r, 0.5F);
  return std::fma(r * r, q, r);
}

}  // namespace vector_math_internal

// e^x. Error below 1 ulp (subnormal results included). Overflows to +inf above 88.7228,
// underflows to 0 below -103.97; NaN stays NaN.
inline float fast_exp(float x) {
  namespace vm = vector_math_internal;
  x = x < -105.0F ? -105.0F : x;
  x = x > 89.0F ? 89.0F : x;
  const vm::Reduced reduced = vm::reduce_by_ln2(x);
  const float mantissa = 1.0F + vm::expm1_reduced(reduced.r);
  // In two factors, so that results below the smallest normal number round once, gradually.
  const std::int32_t half = reduced.n >> 1;
  return mantissa * vm::power_of_two(half) * vm::power_of_two(reduced.n - half);
}

// e^x for x <= 0 as in a softmax after its maximum was taken off: no overflow; below -87.3 the result is
// 0 (never subnormal). Error below 1 ulp elsewhere. NaN stays NaN.
inline float fast_exp_nonpositive(float x) {
  namespace vm = vector_math_internal;
  const float clamped = x < -87.3F ? -87.3F : x;
  const vm::Reduced reduced = vm::reduce_by_ln2(clamped);
  const float result = (1.0F + vm::expm1_reduced(reduced.r)) * vm::power_of_two(reduced.n);
  return x < -87.3F ? 0.0F : result;
}

// e^x - 1, accurate near 0. Error at most 1.5 ulp. NaN stays NaN.
inline float fast_expm1(float x) {
  namespace vm = vector_math_internal;
  x = x < -18.0F ? -18.0F : x;
  x = x > 89.0F ? 89.0F : x;
  const vm::Reduced reduced = vm::reduce_by_ln2(x);
  // Half the result, so that 2^(n-1) stays finite for every finite result.
  const float half_scale = vm::power_of_two(reduced.n - 1);
  return 2.0F * std::fma(half_scale, vm::expm1_reduced(reduced.r), half_scale - 0.5F);
}

// Natural logarithm. Error at most 0.9 ulp. log(0) = -inf, log(x < 0) = NaN, inf and NaN stay.
inline float fast_log(float x) {
  namespace vm = vector_math_internal;
  const bool is_tiny = x < std::numeric_limits<float>::min();
  const float scaled = is_tiny ? x * 0x1.0p24F : x;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(scaled);
  // m in [sqrt(1/2), sqrt(2)), x = 2^e m.
  const std::int32_t exponent = static_cast<std::int32_t>(bits - 0x3F3504F3U) >> 23;
  const float m = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(exponent) << 23));
  const float e = static_cast<float>(exponent) - (is_tiny ? 24.0F : 0.0F);
  const float f = m - 1.0F;
  float g = 0x1.1d8ea6p-4F;
  g = std::fma(g, f, -0x1.d635bcp-4F);
  g = std::fma(g, f, 0x1.dea282p-4F);
  g = std::fma(g, f, -0x1.fcf4c6p-4F);
  g = std::fma(g, f, 0x1.23d21ap-3F);
  g = std::fma(g, f, -0x1.555b4ap-3F);
  g = std::fma(g, f, 0x1.999d5ap-3F);
  g = std::fma(g, f, -0x1.fffffcp-3F);
  g = std::fma(g, f, 0x1.555554p-2F);
  const float f2 = f * f;
  const float tail = std::fma(f2 * f, g, std::fma(-0.5F, f2, e * vm::kLn2Low));
  float result = std::fma(e, vm::kLn2High, f + tail);
  result = x > std::numeric_limits<float>::max() ? x : result;
  result = x == 0.0F ? -std::numeric_limits<float>::infinity() : result;
  return x >= 0.0F ? result : std::numeric_limits<float>::quiet_NaN();
}

// 1 / (1 + e^-x). Error at most 2.5 ulp for x >= -87 (0 below about -88.7).
inline float fast_sigmoid(float x) {
  return 1.0F / (1.0F + fast_exp(-x));
}

}  // namespace cairn::ops
