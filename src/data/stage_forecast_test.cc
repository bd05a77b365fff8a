#include "data/stage_forecast.h"

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

TEST(StageForecast, EpochsGoOnOverStagesThatContinue) {
  const std::vector<Stage> stages = {
      {0, 1, StageStart::kContinue, {{"a", 1.0}, {"b", 3.0}}},
      {100, 1, StageStart::kContinue, {{"a", {}}}},
      {200, 1, StageStart::kRestart, {{"a", {}}}},
  };
  const auto forecast = forecast_stages(plan_stages(stages, 300),
                                        [](const std::string& prefix) { return prefix == "a" ? 100 : 0; });
  ASSERT_EQ(forecast.size(), 3U);
  EXPECT_DOUBLE_EQ(forecast[0].sources[0].epochs_after, 0.25);
  EXPECT_DOUBLE_EQ(forecast[0].sources[1].num_samples, 75.0);
  EXPECT_DOUBLE_EQ(forecast[0].sources[1].epochs_after, -1.0);  // no shard
  EXPECT_DOUBLE_EQ(forecast[1].sources[0].epochs_before, 0.25);
  EXPECT_DOUBLE_EQ(forecast[1].sources[0].epochs_after, 1.25);
  EXPECT_DOUBLE_EQ(forecast[2].sources[0].epochs_before, 0.0);
}

TEST(StageForecast, SizesDecideWithoutWeights) {
  const std::vector<Stage> stages = {{0, 1, StageStart::kContinue, {{"a", {}}, {"b", {}}}}};
  const auto size = [](const std::string& prefix) { return prefix == "a" ? 100 : 300; };
  const auto forecast = forecast_stages(plan_stages(stages, 200), size);
  EXPECT_DOUBLE_EQ(forecast[0].sources[0].share, 0.25);
  EXPECT_DOUBLE_EQ(forecast[0].missing_samples, 0.0);
  EXPECT_DOUBLE_EQ(forecast_stages(plan_stages(stages, 500), size)[0].missing_samples, 100.0);
  const auto unknown = forecast_stages(plan_stages(stages, 500), [](const std::string&) { return 0; });
  EXPECT_DOUBLE_EQ(unknown[0].sources[0].share, -1.0);
}

}  // namespace
}  // namespace cairn::data
