#include "optim/learning_rate.h"

#include <cmath>

#include <gtest/gtest.h>

namespace cairn::optim {
namespace {

LearningRateConfig make(ScheduleType type) {
  return {.type = type,
          .maximum = 1.0,
          .minimum = 0.2,
          .initial = 0.1,
          .warmup_samples = 100,
          .cooldown_samples = 400,
          .total_samples = 1000};
}

TEST(LearningRate, WarmupIsLinearAndInclusive) {
  for (const ScheduleType type :
       {ScheduleType::kConstant, ScheduleType::kLinear, ScheduleType::kCosine, ScheduleType::kWsd}) {
    EXPECT_DOUBLE_EQ(learning_rate(make(type), 0), 0.1);
    EXPECT_DOUBLE_EQ(learning_rate(make(type), 50), 0.55);
    EXPECT_DOUBLE_EQ(learning_rate(make(type), 100), 1.0);
  }
}

TEST(LearningRate, WsdCoolsDownBySquareRoot) {
  const LearningRateConfig config = make(ScheduleType::kWsd);
  EXPECT_EQ(learning_rate(config, 101), 1.0);
  EXPECT_EQ(learning_rate(config, 600), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(config, 700), 0.2 + 0.8 * (1.0 - 0.5));
  EXPECT_DOUBLE_EQ(learning_rate(config, 601), 0.2 + 0.8 * (1.0 - std::sqrt(1.0 / 400.0)));
  EXPECT_DOUBLE_EQ(learning_rate(config, 1000), 0.2);
  EXPECT_EQ(learning_rate(config, 1001), 0.2);
}

TEST(LearningRate, WsdWithoutCooldownStaysUpToTheEnd) {
  LearningRateConfig config = make(ScheduleType::kWsd);
  config.cooldown_samples = 0;
  EXPECT_EQ(learning_rate(config, 1000), 1.0);
  EXPECT_EQ(learning_rate(config, 1001), 0.2);
}

TEST(LearningRate, LinearAndCosine) {
  EXPECT_DOUBLE_EQ(learning_rate(make(ScheduleType::kLinear), 550), 0.6);
  EXPECT_DOUBLE_EQ(learning_rate(make(ScheduleType::kLinear), 1000), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(make(ScheduleType::kCosine), 550), 0.6);
  EXPECT_DOUBLE_EQ(learning_rate(make(ScheduleType::kCosine), 400), 0.2 + 0.8 * 0.75);
  EXPECT_DOUBLE_EQ(learning_rate(make(ScheduleType::kCosine), 1000), 0.2);
  EXPECT_EQ(learning_rate(make(ScheduleType::kCosine), 5000), 0.2);
}

TEST(LearningRate, ConstantHasNoEnd) {
  EXPECT_EQ(learning_rate(make(ScheduleType::kConstant), 101), 1.0);
  EXPECT_EQ(learning_rate(make(ScheduleType::kConstant), 100000), 1.0);
}

TEST(LearningRate, WithoutWarmupTheFirstStepHasTheFullRate) {
  LearningRateConfig config = make(ScheduleType::kWsd);
  config.warmup_samples = 0;
  EXPECT_EQ(learning_rate(config, 0), 1.0);
}

TEST(LearningRate, NamesRoundTrip) {
  for (const char* name : {"constant", "linear", "cosine", "wsd"}) {
    EXPECT_EQ(schedule_type_name(schedule_type_from_name(name).value()), name);
  }
  EXPECT_FALSE(schedule_type_from_name("exponential").has_value());
}

TEST(LearningRate, AllFaultsAtOnce) {
  EXPECT_TRUE(check_learning_rate(make(ScheduleType::kWsd), "schedule.").empty());
  LearningRateConfig config = make(ScheduleType::kWsd);
  config.minimum = 2.0;
  config.initial = -1.0;
  config.cooldown_samples = 950;
  const Faults faults = check_learning_rate(config, "schedule.");
  ASSERT_EQ(faults.list().size(), 3U);
  EXPECT_EQ(faults.list()[0].field, "schedule.init_learning_rate");
  EXPECT_EQ(faults.list()[1].field, "schedule.min_learning_rate");
  EXPECT_EQ(faults.list()[2].field, "schedule.warmup_samples");
}

}  // namespace
}  // namespace cairn::optim
