#include "base/random.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace cairn {
namespace {

using Block = std::array<std::uint32_t, 4>;
constexpr std::uint64_t kSeed = 77;

// The known answers published with the Random123 library.
TEST(Philox, HasThePublishedAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xFFFFFFFF;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, KeysDifferByNameAndSeed) {
  EXPECT_NE(random_key(1, "a").value, random_key(1, "b").value);
  EXPECT_NE(random_key(1, "a").value, random_key(2, "a").value);
  EXPECT_EQ(random_key(1, "a").value, random_key(1, "a").value);
}

TEST(Random, UniformsStayBelowOne) {
  EXPECT_EQ(uniform_float(0), 0.0F);
  EXPECT_LT(uniform_float(0xFFFFFFFF), 1.0F);
  EXPECT_LT(uniform_double(0xFFFFFFFF, 0xFFFFFFFF), 1.0);
  EXPECT_EQ(uniform_double(0x80000000, 0), 0.5);
  EXPECT_EQ(uniform_float(0x80000000), 0.5F);
}

TEST(Random, StreamResumesAnywhere) {
  const RandomKey key = random_key(kSeed, "resume");
  RandomStream stream(key, 3);
  std::vector<std::uint32_t> all;
  for (int i = 0; i < 41; ++i) {
    all.push_back(stream.next_uint32());
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    RandomStream other(key, 3);
    other.skip_to(i);
    ASSERT_EQ(other.next_uint32(), all[i]) << i;
    ASSERT_EQ(other.words_drawn(), i + 1);
  }
  RandomStream another(key, 4);
  EXPECT_NE(another.next_uint32(), all[0]);
}

TEST(Random, NextBelowIsEven) {
  RandomStream stream(random_key(kSeed, "below"), 0);
  std::array<int, 7> counts{};
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) {
    ++counts[stream.next_below(7)];
  }
  double chi_squared = 0;
  for (const int count : counts) {
    const double excess = count - kDraws / 7.0;
    chi_squared += excess * excess / (kDraws / 7.0);
  }
  EXPECT_LT(chi_squared, 22.5) << "seed " << kSeed;  // six degrees of freedom: 0.1 % by chance
  EXPECT_EQ(stream.next_below(1), 0U);
}

TEST(Random, FillDoesNotDependOnTheCut) {
  const RandomKey key = random_key(kSeed, "weight");
  std::vector<float> whole(101);
  fill_normal(whole, key, 5, 1000, 0.5, 0.02);
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    std::vector<float> parts(whole.size());
    fill_normal(std::span(parts).first(cut), key, 5, 1000, 0.5, 0.02);
    fill_normal(std::span(parts).subspan(cut), key, 5, 1000 + cut, 0.5, 0.02);
    ASSERT_EQ(parts, whole) << cut;
  }
}

TEST(Random, NormalsHaveTheRightMoments) {
  std::vector<float> draws(400'000);
  fill_normal(draws, random_key(kSeed, "moments"), 0, 0, 0, 1);
  std::array<double, 5> moments{};
  for (const float x : draws) {
    double power = 1;
    for (std::size_t k = 1; k < moments.size(); ++k) {
      power *= x;
      moments[k] += power / static_cast<double>(draws.size());
    }
  }
  // Five standard errors of each moment of a standard normal.
  const double error = 5 / std::sqrt(static_cast<double>(draws.size()));
  EXPECT_NEAR(moments[1], 0, error) << "seed " << kSeed;
  EXPECT_NEAR(moments[2], 1, error * std::sqrt(2.0));
  EXPECT_NEAR(moments[3], 0, error * std::sqrt(15.0));
  EXPECT_NEAR(moments[4], 3, error * std::sqrt(96.0));
}

TEST(Random, LargestNormalIsBounded) {
  const NormalPair pair = normal_pair({0xFFFFFFFF, 0xFFFFFFFF, 0, 0});
  EXPECT_GT(pair.first, 8.5);
  EXPECT_LT(pair.first, 8.7);
  EXPECT_TRUE(std::isfinite(normal_pair({0, 0, 0, 0}).first));
}

TEST(Random, PortableLogIsAccurate) {
  RandomStream stream(random_key(kSeed, "log"), 0);
  double worst = 0;
  const auto check = [&](double x) {
    const long double exact = std::log(static_cast<long double>(x));
    const double got = portable_log(x);
    if (exact == 0) {
      EXPECT_EQ(got, 0);
      return;
    }
    worst = std::max(worst, static_cast<double>(std::abs((got - exact) / exact)));
  };
  for (int i = 0; i < 100'000; ++i) {
    const double u = stream.next_double();
    check(1 - u);
    check(std::ldexp(1 + u, static_cast<int>(stream.next_below(400)) - 200));
    check(1 + (u - 0.5) * 1e-6);
  }
  check(1);
  check(std::numeric_limits<double>::min());
  check(0x1p-53);
  EXPECT_LT(worst, 1e-15) << "seed " << kSeed;
}

TEST(Random, PortableSinCosIsAccurate) {
  RandomStream stream(random_key(kSeed, "sincos"), 0);
  constexpr long double kTwoPi = 6.283185307179586476925286766559005768L;
  double worst = 0;
  const auto check = [&](double turns) {
    const SinCos got = portable_sincos_turns(turns);
    const long double angle = kTwoPi * static_cast<long double>(turns);
    worst = std::max(worst, static_cast<double>(std::abs(got.sine - std::sin(angle))));
    worst = std::max(worst, static_cast<double>(std::abs(got.cosine - std::cos(angle))));
  };
  for (int i = 0; i < 100'000; ++i) {
    check(stream.next_double());
  }
  for (int i = 0; i < 64; ++i) {
    check(i / 64.0);
  }
  EXPECT_LT(worst, 4e-16) << "seed " << kSeed;
  EXPECT_EQ(portable_sincos_turns(0.25).sine, 1);
  EXPECT_EQ(portable_sincos_turns(0.5).cosine, -1);
}

// Recorded bits: another compiler, vector width or instruction set must give the same.
TEST(Random, BitsAreTheSameOnEveryMachine) {
  const Block recorded_block = {0x4d54d63d, 0xe5273a50, 0xd74d4cd0, 0xb3779ca5};
  const std::vector<std::uint32_t> recorded_bits = {0x3c166a94, 0xbc69af03, 0x3c134659,
                                                    0x3c162971, 0xbc8a2c03, 0xbc4d0cd8};
  std::vector<float> draws(6);
  fill_normal(draws, random_key(1, "model.embed_tokens.weight"), 0, 0, 0, 0.02);
  const Block first = random_block(random_key(1, "model.embed_tokens.weight"), 0, 0);
  std::vector<std::uint32_t> bits;
  for (const float draw : draws) {
    bits.push_back(std::bit_cast<std::uint32_t>(draw));
  }
  EXPECT_EQ(first, recorded_block);
  EXPECT_EQ(bits, recorded_bits);
}

}  // namespace
}  // namespace cairn
