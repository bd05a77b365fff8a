#include "base/random.h"

#include <bit>
#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "base/hash.h"

namespace cairn {
namespace {

struct Product {
  std::uint32_t high;
  std::uint32_t low;
};

Product multiply(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t product = std::uint64_t{a} * b;
  return {static_cast<std::uint32_t>(product >> 32), static_cast<std::uint32_t>(product)};
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  // Multipliers and Weyl increments of the paper, table 2 and section 4.
  constexpr std::uint32_t kMultiplier0 = 0xD2511F53U;
  constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57U;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
  for (int round = 0; round < 10; ++round) {
    const Product p0 = multiply(kMultiplier0, counter[0]);
    const Product p1 = multiply(kMultiplier1, counter[2]);
    counter = {p1.high ^ counter[1] ^ key[0], p1.low, p0.high ^ counter[3] ^ key[1], p0.low};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

RandomKey random_key(std::uint64_t seed, std::string_view name) {
  return {xxh3_64(name, seed)};
}

std::array<std::uint32_t, 4> random_block(RandomKey key, std::uint64_t stream, std::uint64_t index) {
  return philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                     static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)},
                    {static_cast<std::uint32_t>(key.value), static_cast<std::uint32_t>(key.value >> 32)});
}

float uniform_float(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24F;
}

double uniform_double(std::uint32_t high_word, std::uint32_t low_word) {
  const std::uint64_t bits = (std::uint64_t{high_word} << 32) | low_word;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

double portable_log(double x) {
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

SinCos portable_sincos_turns(double turns) {
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

NormalPair normal_pair(const std::array<std::uint32_t, 4>& block) {
  const double radius = std::sqrt(-2.0 * portable_log(1.0 - uniform_double(block[0], block[1])));
  const SinCos direction = portable_sincos_turns(uniform_double(block[2], block[3]));
  return {radius * direction.cosine, radius * direction.sine};
}

void fill_normal(std::span<float> out, RandomKey key, std::uint64_t stream, std::uint64_t first_index,
                 double mean, double deviation) {
  std::size_t i = 0;
  while (i < out.size()) {
    const std::uint64_t index = first_index + i;
    const NormalPair pair = normal_pair(random_block(key, stream, index / 2));
    if (index % 2 == 0) {
      out[i++] = static_cast<float>(mean + deviation * pair.first);
      if (i == out.size()) {
        return;
      }
    }
    out[i++] = static_cast<float>(mean + deviation * pair.second);
  }
}

std::uint32_t RandomStream::next_uint32() {
  const std::uint64_t block_index = position_ / 4;
  if (block_index != block_index_) {
    block_ = random_block(key_, stream_, block_index);
    block_index_ = block_index;
  }
  return block_[position_++ % 4];
}

std::uint64_t RandomStream::next_uint64() {
  const std::uint64_t high = next_uint32();
  return (high << 32) | next_uint32();
}

float RandomStream::next_float() {
  return uniform_float(next_uint32());
}

double RandomStream::next_double() {
  const std::uint32_t high = next_uint32();
  return uniform_double(high, next_uint32());
}

double RandomStream::next_normal() {
  std::array<std::uint32_t, 4> words{};
  for (std::uint32_t& word : words) {
    word = next_uint32();
  }
  return normal_pair(words).first;
}

std::uint64_t RandomStream::next_below(std::uint64_t bound) {
  CHECK(bound >= 1, "nothing is below zero");
  // The lowest 2^64 mod bound values are drawn again, so that every remainder is equally likely.
  const std::uint64_t rejected = (~bound + 1) % bound;
  while (true) {
    const std::uint64_t draw = next_uint64();
    if (draw >= rejected) {
      return draw % bound;
    }
  }
}

void RandomStream::skip_to(std::uint64_t words_drawn) {
  position_ = words_drawn;
}

}  // namespace cairn
