#include "optim/batch_ramp.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace cairn::optim {
namespace {

TEST(BatchRamp, WithoutRampTheBatchIsConstant) {
  const BatchRampConfig config{.global_batch = 12, .microbatch = 2, .data_parallel = 3};
  const BatchSize size = batch_size_at(config, 1000);
  EXPECT_EQ(size.nominal, 12);
  EXPECT_EQ(size.samples, 12);
  EXPECT_EQ(size.skipped, 0);
  EXPECT_EQ(size.num_microbatches, 2);
}

TEST(BatchRamp, WholeIncrementIsOneSwitch) {
  const BatchRampConfig config{.global_batch = 16, .start_batch = 8, .increment = 8, .ramp_samples = 1000};
  EXPECT_EQ(batch_size_at(config, 0).samples, 8);
  EXPECT_EQ(batch_size_at(config, 999).samples, 8);
  EXPECT_EQ(batch_size_at(config, 1000).samples, 16);
  EXPECT_EQ(batch_size_at(config, 1001).samples, 16);
}

TEST(BatchRamp, GrowsInSteps) {
  // Four increments over 1000 samples: one every 250.
  const BatchRampConfig config{.global_batch = 20, .start_batch = 4, .increment = 4, .ramp_samples = 1000};
  EXPECT_EQ(batch_size_at(config, 249).samples, 4);
  EXPECT_EQ(batch_size_at(config, 250).samples, 8);
  EXPECT_EQ(batch_size_at(config, 999).samples, 16);
  EXPECT_EQ(batch_size_at(config, 1000).samples, 20);
}

TEST(BatchRamp, RoundingDownCountsSkippedSamples) {
  const BatchRampConfig config{.global_batch = 20,
                               .start_batch = 10,
                               .increment = 5,
                               .ramp_samples = 100,
                               .microbatch = 2,
                               .data_parallel = 4,
                               .decrease_batch_if_needed = true};
  EXPECT_TRUE(check_batch_ramp(config, "train.").empty());
  const BatchSize size = batch_size_at(config, 60);
  EXPECT_EQ(size.nominal, 15);
  EXPECT_EQ(size.samples, 8);
  EXPECT_EQ(size.skipped, 7);
  EXPECT_EQ(size.num_microbatches, 1);
}

// Step by step, as the trainer does.
StepCount count_by_loop(const BatchRampConfig& config, std::int64_t total) {
  StepCount count;
  const std::int64_t last = batch_size_at(config, config.ramp_samples + 1).samples;
  while (true) {
    const std::int64_t samples = batch_size_at(config, count.consumed_samples).samples;
    if (count.consumed_samples + samples > total) {
      return count;
    }
    count.ramp_steps += samples < last ? 1 : 0;
    count.max_batch = samples;
    count.consumed_samples += samples;
    ++count.steps;
  }
}

void expect_same(const StepCount& a, const StepCount& b) {
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.consumed_samples, b.consumed_samples);
  EXPECT_EQ(a.ramp_steps, b.ramp_steps);
  EXPECT_EQ(a.max_batch, b.max_batch);
}

TEST(BatchRamp, StepsAreThoseOfTheLoop) {
  const std::uint32_t seed = 17;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto draw = [&](int from, int to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(random);
  };
  for (int round = 0; round < 2000; ++round) {
    BatchRampConfig config;
    config.microbatch = draw(1, 6);
    config.data_parallel = draw(1, 3);
    config.decrease_batch_if_needed = draw(0, 1) == 1;
    const std::int64_t unit = config.microbatch * config.data_parallel;
    config.increment = draw(1, 5) * (config.decrease_batch_if_needed ? 1 : unit);
    config.start_batch = unit * draw(1, 4);
    config.global_batch = config.start_batch + config.increment * draw(0, 7);
    config.ramp_samples = draw(1, 3000);
    ASSERT_TRUE(check_batch_ramp(config, "").empty());
    for (const std::int64_t total : {std::int64_t{0}, config.start_batch, draw(0, 5000)}) {
      SCOPED_TRACE(testing::Message() << "round " << round << " total " << total);
      expect_same(count_steps(config, total), count_by_loop(config, total));
    }
  }
}

// The formula of the header, in 128 bits.
TEST(BatchRamp, LongRampsDoNotOverflow) {
  __extension__ using Wide = __int128;
  const BatchRampConfig config{
      .global_batch = 1'000'000, .start_batch = 1, .increment = 1, .ramp_samples = 100'000'000'000'000'007};
  for (const std::int64_t n :
       {0LL, 1LL, 99'999'999'999LL, 50'000'000'000'000'000LL, 100'000'000'000'000'006LL}) {
    const Wide taken = Wide{n} * 999'999 / config.ramp_samples;
    EXPECT_EQ(batch_size_at(config, n).samples, 1 + static_cast<std::int64_t>(taken)) << n;
  }
}

TEST(BatchRamp, CountingTakesNoTimePerStep) {
  const BatchRampConfig config{
      .global_batch = 2, .start_batch = 1, .increment = 1, .ramp_samples = 100'000'000'000'000};
  const StepCount count = count_steps(config, 100'000'000'000'001);
  EXPECT_EQ(count.ramp_steps, 100'000'000'000'000);
  EXPECT_EQ(count.steps, count.ramp_steps);
  EXPECT_EQ(count_steps(config, 100'000'000'000'002).steps, count.steps + 1);
}

TEST(BatchRamp, AllFaultsAtOnce) {
  const BatchRampConfig odd{
      .global_batch = 15, .start_batch = 6, .increment = 9, .ramp_samples = 10, .microbatch = 2};
  const Faults faults = check_batch_ramp(odd, "train.");
  ASSERT_EQ(faults.list().size(), 2U);
  EXPECT_EQ(faults.list()[0].field, "train.microbatch");
  EXPECT_EQ(faults.list()[1].field, "train.ramp.increment");
  const BatchRampConfig uneven{.global_batch = 16, .start_batch = 8, .increment = 3, .ramp_samples = 10};
  EXPECT_EQ(check_batch_ramp(uneven, "train.").list()[0].field, "train.ramp.increment");
  const BatchRampConfig none{.global_batch = 0, .microbatch = 0};
  EXPECT_FALSE(check_batch_ramp(none, "train.").empty());
  const BatchRampConfig backwards{.global_batch = 8, .start_batch = 16, .increment = 8, .ramp_samples = 10};
  EXPECT_EQ(check_batch_ramp(backwards, "train.").list()[0].field, "train.ramp.start_batch");
  const BatchRampConfig keys_without_start{.global_batch = 8, .increment = 8};
  EXPECT_EQ(check_batch_ramp(keys_without_start, "train.").list()[0].field, "train.ramp.start_batch");
}

TEST(BatchRamp, MicrobatchesOfAStepAreBounded) {
  BatchRampConfig config{.global_batch = 2 * kMicrobatchesMax, .microbatch = 2};
  EXPECT_TRUE(check_batch_ramp(config, "train.").empty());
  config.global_batch += 2;
  const Faults faults = check_batch_ramp(config, "train.");
  ASSERT_EQ(faults.list().size(), 1U);
  EXPECT_EQ(faults.list()[0].field, "train.global_batch");
  EXPECT_NE(faults.list()[0].reason.find("train.microbatch = 2"), std::string::npos);
}

}  // namespace
}  // namespace cairn::optim
