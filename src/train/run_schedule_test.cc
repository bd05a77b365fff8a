#include "train/run_schedule.h"

#include <gtest/gtest.h>

namespace cairn::train {
namespace {

RunConfig ramped_run() {
  RunConfig config;
  config.train.sequence = 8;
  config.train.microbatch = 2;
  config.train.global_batch = 8;
  config.train.samples = 203;
  config.train.ramp = {.start_batch = 4, .increment = 2, .samples = 41};
  config.data.stage.resize(2);
  config.data.stage[1].start_samples = 100;
  return config;
}

TEST(RunSchedule, StepsAndSamplesAreInverse) {
  const ResolvedRun run = resolve_run(ramped_run());
  const RunSchedule schedule(run);
  std::int64_t sample = 0;
  for (std::int64_t step = 1; step <= run.steps; ++step) {
    const StepSamples samples = schedule.samples_of(step);
    EXPECT_EQ(samples.first, sample);
    EXPECT_EQ(samples.count, optim::batch_size_at(run.batch, sample).samples);
    for (std::int64_t i = 0; i < samples.count; ++i) {
      EXPECT_EQ(schedule.step_of(sample + i), step);
    }
    sample += samples.count;
  }
  EXPECT_EQ(sample, run.consumed_samples);
}

TEST(RunSchedule, EventsAreInOrderAndNameTheStep) {
  const std::vector<RunEvent> events = run_events(ramped_run());
  ASSERT_EQ(events.size(), 5U);  // two stages, batches 4, 6 and 8
  EXPECT_EQ(events[0].text, "data stage 0, seed 28");
  EXPECT_EQ(events[2].text, "batch 6");
  EXPECT_EQ(events[4].text, "data stage 1, seed 28");
  EXPECT_EQ(events[4].sample, 100);
}

}  // namespace
}  // namespace cairn::train
