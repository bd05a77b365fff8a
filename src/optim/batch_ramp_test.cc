#include "optim/batch_ramp.h"

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
                               .decrease_batch_size_if_needed = true};
  EXPECT_TRUE(check_batch_ramp(config, "train.").empty());
  const BatchSize size = batch_size_at(config, 60);
  EXPECT_EQ(size.nominal, 15);
  EXPECT_EQ(size.samples, 8);
  EXPECT_EQ(size.skipped, 7);
  EXPECT_EQ(size.num_microbatches, 1);
}

TEST(BatchRamp, StepsAreThoseOfTheLoop) {
  const BatchRampConfig config{.global_batch = 20, .start_batch = 4, .increment = 4, .ramp_samples = 1000};
  for (const std::int64_t total : {0, 1, 4, 5, 999, 1000, 1016, 5003}) {
    std::int64_t steps = 0;
    for (std::int64_t n = 0; n < total; ++steps) {
      n += batch_size_at(config, n).samples;
    }
    EXPECT_EQ(num_steps(config, 0, total), steps) << total;
  }
  EXPECT_EQ(num_steps(config, 4000, 4040), 2);
}

TEST(BatchRamp, AllFaultsAtOnce) {
  const BatchRampConfig odd{
      .global_batch = 15, .start_batch = 6, .increment = 9, .ramp_samples = 10, .microbatch = 2};
  const Faults faults = check_batch_ramp(odd, "train.");
  ASSERT_EQ(faults.list().size(), 2U);
  EXPECT_EQ(faults.list()[0].field, "train.global_batch");
  EXPECT_EQ(faults.list()[1].field, "train.increment");
  const BatchRampConfig uneven{.global_batch = 16, .start_batch = 8, .increment = 3, .ramp_samples = 10};
  EXPECT_EQ(check_batch_ramp(uneven, "train.").list()[0].field, "train.increment");
  const BatchRampConfig none{.global_batch = 0, .microbatch = 0};
  EXPECT_FALSE(check_batch_ramp(none, "train.").empty());
  const BatchRampConfig backwards{.global_batch = 8, .start_batch = 16, .increment = 8, .ramp_samples = 10};
  EXPECT_EQ(check_batch_ramp(backwards, "train.").list()[0].field, "train.start_batch");
}

}  // namespace
}  // namespace cairn::optim
