#include "data/stage_plan.h"

#include <gtest/gtest.h>

namespace cairn::data {
namespace {

Stage stage_of(std::int64_t start, std::uint32_t seed, StageStart kind, std::vector<StageSource> sources) {
  return {start, seed, kind, std::move(sources)};
}

TEST(StagePlan, StagesThatContinueShareAnOrder) {
  const std::vector<Stage> stages = {
      stage_of(0, 1, StageStart::kContinue, {{"a", 3.0}, {"b", 1.0}}),
      stage_of(100, 2, StageStart::kContinue, {{"a", 1.0}, {"c", 1.0}}),
      stage_of(200, 3, StageStart::kRestart, {{"a", std::nullopt}}),
  };
  ASSERT_TRUE(check_stages(stages, 300, "data.").empty());
  const StagePlan plan = plan_stages(stages, 300);
  ASSERT_EQ(plan.orders.size(), 4U);               // a, b, c, a again
  EXPECT_EQ(plan.orders[0].num_samples, 76 + 51);  // ceil(75 * 1.005) + ceil(50 * 1.005)
  EXPECT_EQ(plan.orders[0].seed, 1U);
  EXPECT_EQ(plan.orders[2].seed, 2U);
  EXPECT_EQ(plan.orders[3].prefix, "a");
  EXPECT_EQ(plan.orders[3].seed, 3U);
  EXPECT_EQ(plan.orders[3].num_samples, 100);  // alone: no surplus
  EXPECT_EQ(plan.stages[1].uses[0].order, 0U);
  EXPECT_DOUBLE_EQ(plan.stages[0].uses[0].expected, 75.0);
}

TEST(StagePlan, WithoutWeightsOneEpochIsAskedFor) {
  const std::vector<Stage> stages = {stage_of(0, 1, StageStart::kContinue, {{"a", {}}, {"b", {}}})};
  const StagePlan plan = plan_stages(stages, 300);
  EXPECT_TRUE(plan.stages[0].is_by_size);
  EXPECT_EQ(plan.orders[0].num_samples, 0);
}

TEST(StagePlan, AllFaultsAreToldAtOnce) {
  const std::vector<Stage> stages = {
      stage_of(5, 1, StageStart::kContinue, {{"a", 3.0}, {"", {}}, {"a", 1.0}}),
      stage_of(5, 1, StageStart::kContinue, {}),
      stage_of(900, 1, StageStart::kContinue, {{"x", {}}}),
  };
  const std::string text =
      check_stages(stages, 300, "data.").to_status(StatusCode::kBadConfig, "run").message();
  for (const char* expected : {"data.stage.0.start_samples = 5: the first stage must start at 0",
                               "data.stage.0.source.1.path: is missing", "data.stage.0.source.1.weight",
                               "data.stage.0.source.2.path = a: the stage has this source already",
                               "data.stage.1.start_samples = 5: the stage before it starts at 5",
                               "data.stage.1.source: the stage has no source",
                               "data.stage.2.start_samples = 900: the run ends at 300"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  }
  EXPECT_FALSE(check_stages({}, 300, "data.").empty());
}

TEST(StagePlan, AnOrderIsByWeightsOrBySize) {
  std::vector<Stage> stages = {
      stage_of(0, 1, StageStart::kContinue, {{"a", {}}, {"b", {}}}),
      stage_of(100, 1, StageStart::kContinue, {{"a", 1.0}, {"c", 1.0}}),
  };
  const std::string text =
      check_stages(stages, 300, "data.").to_status(StatusCode::kBadConfig, "run").message();
  EXPECT_NE(text.find("data.stage.1.source.0.weight"), std::string::npos) << text;
  stages[1].start = StageStart::kRestart;
  EXPECT_TRUE(check_stages(stages, 300, "data.").empty());
}

}  // namespace
}  // namespace cairn::data
