#include "serve/sampler.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <span>

#include <gtest/gtest.h>

namespace cairn::serve {
namespace {

std::uint32_t printed_seed() {
  const auto seed = 20260901U + static_cast<std::uint32_t>(GTEST_FLAG_GET(random_seed));
  std::cout << "[   SEED   ] " << seed << "\n";
  return seed;
}

ConstTensorView view_of(const std::vector<float>& logits) {
  return make_const_view(std::span<const float>(logits), Shape{static_cast<std::int64_t>(logits.size())});
}

std::map<std::int32_t, int> draw(const std::vector<float>& logits, const SamplingOptions& options,
                                 int count) {
  Sampler sampler(options, static_cast<std::int64_t>(logits.size()));
  std::map<std::int32_t, int> counts;
  for (int i = 0; i < count; ++i) {
    const auto id = sampler.sample(view_of(logits), static_cast<std::uint64_t>(i));
    EXPECT_TRUE(id.ok());
    ++counts[*id];
  }
  return counts;
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowestIdOfEquals) {
  Sampler sampler({}, 5);
  EXPECT_EQ(*sampler.sample(view_of({0.0F, 3.0F, 1.0F, 3.0F, -1.0F}), 0), 1);
  EXPECT_EQ(*sampler.sample(view_of({-7.0F, -7.0F, -7.0F, -7.0F, -7.0F}), 3), 0);
}

TEST(Sampler, FrequenciesFollowTheProbabilities) {
  const std::vector<float> logits = {std::log(0.5F), std::log(0.3F), std::log(0.15F), std::log(0.05F)};
  constexpr int kDraws = 20000;
  const auto counts = draw(logits, {.temperature = 1.0, .seed = printed_seed()}, kDraws);
  for (std::int32_t id = 0; id < 4; ++id) {
    const double p = std::exp(static_cast<double>(logits[static_cast<std::size_t>(id)]));
    const double deviation = std::sqrt(p * (1.0 - p) * kDraws);
    EXPECT_NEAR(counts.at(id), p * kDraws, 5.0 * deviation) << id;
  }
}

TEST(Sampler, TemperatureSharpens) {
  const std::vector<float> logits = {1.0F, 0.0F};
  const auto counts = draw(logits, {.temperature = 0.5, .seed = 1}, 20000);
  const double p = 1.0 / (1.0 + std::exp(-2.0));
  EXPECT_NEAR(counts.at(0), p * 20000, 5.0 * std::sqrt(p * (1.0 - p) * 20000));
}

TEST(Sampler, TopKKeepsTheLowestIdsOfEquals) {
  const std::vector<float> logits = {0.0F, 1.0F, 1.0F, 1.0F, 0.5F};
  const auto counts = draw(logits, {.temperature = 1.0, .top_k = 2, .seed = 1}, 500);
  EXPECT_EQ(counts.size(), 2U);
  EXPECT_TRUE(counts.contains(1));
  EXPECT_TRUE(counts.contains(2));
  EXPECT_EQ(draw(logits, {.temperature = 1.0, .top_k = 1, .seed = 1}, 50).size(), 1U);
  EXPECT_EQ(draw(logits, {.temperature = 1.0, .top_k = 99, .seed = 1}, 2000).size(), 5U);
}

TEST(Sampler, TopPKeepsTheFewestThatReachTheMass) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.6F), std::log(0.25F), std::log(0.05F)};
  const auto kept = [&](double p) {
    return draw(logits, {.temperature = 1.0, .top_p = p, .seed = 1}, 3000).size();
  };
  EXPECT_EQ(kept(0.5), 1U);
  EXPECT_EQ(kept(0.7), 2U);
  EXPECT_EQ(kept(0.9), 3U);
  EXPECT_EQ(kept(0.999), 4U);
  EXPECT_EQ(draw(logits, {.temperature = 1.0, .top_k = 3, .top_p = 0.6, .seed = 1}, 500).size(), 1U);
}

TEST(Sampler, TheNucleusOfManyTokensIsThatOfAFullSort) {
  std::mt19937 random(printed_seed());
  std::normal_distribution<float> normal(0.0F, 1.0F);
  std::vector<float> logits(1000);
  for (float& logit : logits) {
    logit = normal(random);
  }
  std::vector<std::pair<double, std::int32_t>> sorted;
  double total = 0.0;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const double weight = std::exp(static_cast<double>(logits[id]));
    sorted.emplace_back(-weight, static_cast<std::int32_t>(id));
    total += weight;
  }
  std::ranges::sort(sorted);
  std::set<std::int32_t> nucleus;
  double sum = 0.0;
  for (const auto& [negative, id] : sorted) {
    if (sum >= 0.8 * total) {
      break;
    }
    sum -= negative;
    nucleus.insert(id);
  }
  ASSERT_GT(nucleus.size(), 256U);
  for (const auto& [id, count] : draw(logits, {.temperature = 1.0, .top_p = 0.8, .seed = 4}, 5000)) {
    EXPECT_TRUE(nucleus.contains(id)) << id;
  }
}

TEST(Sampler, DrawsDependOnSeedAndPositionAlone) {
  const std::vector<float> logits(50, 0.0F);
  Sampler a({.temperature = 1.0, .seed = 7}, 50);
  Sampler b({.temperature = 1.0, .seed = 7}, 50);
  Sampler c({.temperature = 1.0, .seed = 8}, 50);
  int num_different = 0;
  for (std::uint64_t position = 40; position-- > 0;) {
    const std::int32_t forward = *a.sample(view_of(logits), 39 - position);
    const std::int32_t again = *b.sample(view_of(logits), 39 - position);
    EXPECT_EQ(forward, again);
    num_different += forward == *c.sample(view_of(logits), 39 - position) ? 0 : 1;
  }
  EXPECT_GT(num_different, 30);
}

TEST(Sampler, RefusesLogitsThatAreNoNumbers) {
  Sampler sampler({}, 2);
  EXPECT_EQ(sampler.sample(view_of({0.0F, std::numeric_limits<float>::quiet_NaN()}), 0).status().code(),
            StatusCode::kDiverged);
  EXPECT_EQ(sampler.sample(view_of({0.0F, std::numeric_limits<float>::infinity()}), 0).status().code(),
            StatusCode::kDiverged);
  EXPECT_EQ(*sampler.sample(view_of({-std::numeric_limits<float>::infinity(), 1.0F}), 0), 1);
}

TEST(Sampler, NamesOptionsOutOfRange) {
  const SamplingOptions options{.temperature = -1.0, .top_k = -2, .top_p = 0.0};
  const Status status = check_sampling_options(options, "--").to_status(StatusCode::kUsage, "x");
  for (const char* name : {"--temperature", "--top-k", "--top-p"}) {
    EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
  }
  EXPECT_TRUE(check_sampling_options({}, "").empty());
}

}  // namespace
}  // namespace cairn::serve
