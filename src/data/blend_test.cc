#include "data/blend.h"

#include <cmath>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

std::vector<double> random_weights(std::mt19937& random, std::size_t count) {
  std::vector<double> weights(count);
  for (double& weight : weights) {
    weight = 1 + static_cast<double>(random() % 1000);
  }
  return normalize_weights(weights);
}

TEST(Blend, CursorCountsAndInverseAgree) {
  const std::uint32_t seed = 7;
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    const std::vector<double> weights = random_weights(random, 1 + random() % 9);
    const auto num_samples = static_cast<std::int64_t>(1 + random() % 20'000);
    const Blend blend = Blend::build(weights, num_samples, BlendRounding::kSeparate).value();
    BlendCursor forward(blend);
    std::vector<std::int64_t> taken(weights.size(), 0);
    for (std::int64_t sample = 0; sample < num_samples; ++sample) {
      const BlendSample got = forward.at(sample);
      ASSERT_EQ(got.index, taken[static_cast<std::size_t>(got.source)]++) << "seed " << seed;
      if (sample % 97 == 0) {
        ASSERT_EQ(blend.find(got.source, got.index), sample);
        ASSERT_EQ(blend.count_before(got.source, sample), got.index);
        ASSERT_EQ(BlendCursor(blend).at(sample), got);
      }
    }
    for (std::size_t d = 0; d < weights.size(); ++d) {
      EXPECT_EQ(blend.count(static_cast<std::int64_t>(d)), taken[d]);
      EXPECT_NEAR(static_cast<double>(taken[d]), weights[d] * static_cast<double>(num_samples), 2.0);
    }
  }
}

TEST(Blend, EqualWeightsTakeTurnsFromTheFirst) {
  const std::vector<double> weights = normalize_weights(std::vector<double>{1, 1, 1});
  const Blend blend = Blend::build(weights, 9, BlendRounding::kSeparate).value();
  BlendCursor cursor(blend);
  for (std::int64_t sample = 0; sample < 9; ++sample) {
    EXPECT_EQ(cursor.at(sample).source, sample % 3) << sample;
  }
}

TEST(Blend, ATableThatWasKeptGivesTheSameBlend) {
  const std::vector<double> weights = normalize_weights(std::vector<double>{5, 2, 1});
  const Blend built = Blend::build(weights, 10'000, BlendRounding::kFused).value();
  const Blend kept = Blend::adopt(weights, 10'000, BlendRounding::kFused, built.table(), nullptr).value();
  for (const std::int64_t sample : {0, 4095, 4096, 9999}) {
    EXPECT_EQ(BlendCursor(built).at(sample), BlendCursor(kept).at(sample));
  }
  EXPECT_EQ(Blend::adopt(weights, 20'000, BlendRounding::kFused, built.table(), nullptr).status().code(),
            StatusCode::kBadData);
}

TEST(Blend, TheSurplusIsMegatrons) {
  EXPECT_EQ(samples_with_surplus(1000, 0.5), 503);  // ceil(500 * 1.005)
  EXPECT_EQ(samples_with_surplus(1, 0.1), 2);       // ceil(ceil(0.1) * 1.005)
  EXPECT_EQ(samples_with_surplus(0, 0.1), 0);
}

TEST(Blend, WhatCannotBeMixedIsRefused) {
  const std::vector<double> zero = {1.0, 0.0};
  EXPECT_EQ(Blend::build(zero, 10, BlendRounding::kSeparate).status().code(), StatusCode::kUsage);
  EXPECT_EQ(Blend::build({}, 10, BlendRounding::kSeparate).status().code(), StatusCode::kUsage);
  const std::vector<double> many(32'767, 1.0);
  EXPECT_EQ(Blend::build(many, 10, BlendRounding::kSeparate).status().code(), StatusCode::kUsage);
}

}  // namespace
}  // namespace cairn::data
