#include "train/run_schedule.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace cairn::train {

RunSchedule::RunSchedule(const ResolvedRun& run)
    : phases_(optim::batch_phases(run.batch, run.samples)), num_steps_(run.steps) {}

StepSamples RunSchedule::samples_of(std::int64_t step) const {
  CHECK(step >= 1 && step <= num_steps_, "step out of range");
  const auto after = std::ranges::upper_bound(phases_, step, {}, &optim::BatchPhase::first_step);
  const optim::BatchPhase& phase = *(after - 1);
  return {phase.first_sample + (step - phase.first_step) * phase.samples, phase.samples};
}

std::int64_t RunSchedule::step_of(std::int64_t sample) const {
  CHECK(sample >= 0 && !phases_.empty(), "sample out of range");
  const auto after = std::ranges::upper_bound(phases_, sample, {}, &optim::BatchPhase::first_sample);
  const optim::BatchPhase& phase = *(after - 1);
  return phase.first_step + (sample - phase.first_sample) / phase.samples;
}

std::vector<RunEvent> run_events(const RunConfig& config) {
  const ResolvedRun run = resolve_run(config);
  const RunSchedule schedule(run);
  std::vector<RunEvent> events;
  const auto add = [&](std::int64_t sample, std::string text) {
    if (sample < run.consumed_samples) {
      events.push_back({schedule.step_of(sample), sample, std::move(text)});
    }
  };
  for (std::size_t i = 0; i < config.data.stage.size(); ++i) {
    const StageSection& stage = config.data.stage[i];
    add(stage.start_samples,
        fmt::format("data stage {}, seed {}{}", i, stage.seed,
                    i > 0 && stage.order == StageOrder::kRestart ? ", sources begin anew" : ""));
  }
  for (const optim::BatchPhase& phase : schedule.phases()) {
    add(phase.first_sample, fmt::format("batch {}", format_count(phase.samples)));
  }
  if (config.schedule.warmup_samples > 0) {
    add(config.schedule.warmup_samples, "learning rate at its peak");
  }
  if (config.schedule.type == optim::ScheduleType::kWsd && config.schedule.cooldown_samples > 0) {
    add(run.samples - config.schedule.cooldown_samples, "cooldown begins");
  }
  std::ranges::stable_sort(events, {}, &RunEvent::sample);
  return events;
}

}  // namespace cairn::train
