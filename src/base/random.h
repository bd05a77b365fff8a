// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
// 3"). A draw is a pure function of (seed, name, stream, index), so any rank or thread can make any part of a
// sequence. The same bits on every machine: the functions below use only + - * / sqrt of IEEE double. What is constexpr
// is also what a GPU's kernels call (ops/fill_cuda.cu, compiled without contraction).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string_view>

namespace cairn {

// Ten rounds of Philox4x32 of one 128-bit counter under a 64-bit key.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  // Multipliers and Weyl increments of the paper, table 2 and section 4.
  constexpr std::uint32_t kMultiplier0 = 0xD2511F53U;
  constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57U;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t p1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

// Names one family of independent streams: "init.model.layers.3.mlp.up_proj.weight", "data.shuffle", ...
struct RandomKey {
  std::uint64_t value = 0;
};
// XXH3-64 of the name, seeded with `seed`.
RandomKey random_key(std::uint64_t seed, std::string_view name);

// Four words of stream `stream` (a step, a sample, an epoch) at `index`.
constexpr std::array<std::uint32_t, 4> random_block(RandomKey key, std::uint64_t stream,
                                                    std::uint64_t index) {
  return philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                     static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)},
                    {static_cast<std::uint32_t>(key.value), static_cast<std::uint32_t>(key.value >> 32)});
}

// Uniform in [0, 1): the upper 24 bits of a word, the upper 53 bits of two. Never 1.
constexpr float uniform_float(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24F;
}
constexpr double uniform_double(std::uint32_t high_word, std::uint32_t low_word) {
  const std::uint64_t bits = (std::uint64_t{high_word} << 32) | low_word;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

// Deterministic elementary functions of double, the same bits everywhere.
// REQUIRES x > 0 and normal. Relative error below 1e-15.
constexpr double portable_log(double x) {
  constexpr std::uint64_t kMantissaMask = 0x000FFFFFFFFFFFFFULL;
  constexpr std::uint64_t kOneBits = 0x3FF0000000000000ULL;
  constexpr double kSqrt2 = 1.41421356237309504880;
  // ln 2 in two parts; the first has 33 bits, so that its product with an exponent is exact.
  constexpr double kLn2High = 0x1.62e42fee00000p-1;
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

  const auto bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & kMantissaMask) | kOneBits);
  if (mantissa > kSqrt2) {
    mantissa *= 0.5;
    ++exponent;
  }
  // log m = 2 atanh(f), f = (m - 1) / (m + 1), |f| <= 0.1716: the term after f^23 is below 2^-60 of the sum.
  const double f = (mantissa - 1.0) / (mantissa + 1.0);
  const double s = f * f;
  double series = 0;
  for (int k = 23; k >= 3; k -= 2) {
    series = (series + 1.0 / static_cast<double>(k)) * s;
  }
  const double log_mantissa = 2.0 * f + 2.0 * f * series;
  const auto e = static_cast<double>(exponent);
  return e * kLn2High + (e * kLn2Low + log_mantissa);
}

struct SinCos {
  double sine = 0;
  double cosine = 0;
};
// Of 2 pi turns. REQUIRES 0 <= turns < 1. Absolute error < 4e-16.
constexpr SinCos portable_sincos_turns(double turns) {
  constexpr double kHalfPi = 1.57079632679489661923;
  // Exact: turns * 4 only changes the exponent, and the nearest quarter is at most half away.
  const double quarters = turns * 4.0;
  const auto quadrant = static_cast<int>(quarters + 0.5);
  const double angle = (quarters - static_cast<double>(quadrant)) * kHalfPi;
  const double square = angle * angle;
  // Taylor: the first dropped terms are below 2^-60 for |angle| <= pi/4.
  double sine = 0;
  for (int k = 17; k >= 3; k -= 2) {
    sine = (1.0 + sine) * (-square / static_cast<double>(k * (k - 1)));
  }
  sine = angle + angle * sine;
  double cosine = 0;
  for (int k = 18; k >= 2; k -= 2) {
    cosine = (1.0 + cosine) * (-square / static_cast<double>(k * (k - 1)));
  }
  cosine = 1.0 + cosine;
  switch (quadrant & 3) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

// A draw from the normal distribution of the plane, in polar form (Box and Muller 1958).
struct PolarNormal {
  double squared_radius = 0;
  SinCos direction;
};
constexpr PolarNormal polar_normal(const std::array<std::uint32_t, 4>& block) {
  return {-2.0 * portable_log(1.0 - uniform_double(block[0], block[1])),
          portable_sincos_turns(uniform_double(block[2], block[3]))};
}

// Its coordinates: two independent standard normals from one block. The logarithm, sine and cosine are
// ours, within 2e-15 relative of the exact values; |normal| < 8.7.
struct NormalPair {
  double first = 0;
  double second = 0;
};
NormalPair normal_pair(const std::array<std::uint32_t, 4>& block);

// out[i] = mean + deviation * normal number (first_index + i) of (key, stream), rounded once to float32.
// Cutting a fill into parts gives the same numbers. Writes (=).
void fill_normal(std::span<float> out, RandomKey key, std::uint64_t stream, std::uint64_t first_index,
                 double mean, double deviation);

// A cursor over one stream, for code that draws one after the other; words_drawn() and skip_to() make it
// resumable.
class RandomStream {
 public:
  RandomStream(RandomKey key, std::uint64_t stream) : key_(key), stream_(stream) {}

  std::uint32_t next_uint32();
  std::uint64_t next_uint64();
  float next_float();                             // uniform [0, 1), 24 bits
  double next_double();                           // uniform [0, 1), 53 bits
  double next_normal();                           // takes four words, keeps the first of the pair
  std::uint64_t next_below(std::uint64_t bound);  // uniform in [0, bound), no bias. REQUIRES bound >= 1
  std::uint64_t words_drawn() const { return position_; }
  void skip_to(std::uint64_t words_drawn);

 private:
  RandomKey key_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;  // in 32-bit words
  std::uint64_t block_index_ = ~std::uint64_t{0};
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace cairn
