// A run as steps: which samples a step takes, which step takes a sample, and what changes when. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/run_config.h"

namespace cairn::train {

struct StepSamples {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

// Something that changes during the run, at the first step that it concerns.
struct RunEvent {
  std::int64_t step = 0;    // from 1
  std::int64_t sample = 0;  // where it happens: the first of the step, or later within it
  std::string text;
};

class RunSchedule {
 public:
  explicit RunSchedule(const ResolvedRun& run);

  std::int64_t num_steps() const { return num_steps_; }
  // REQUIRES 1 <= step <= num_steps().
  StepSamples samples_of(std::int64_t step) const;
  // REQUIRES a sample that a whole step takes.
  std::int64_t step_of(std::int64_t sample) const;
  const std::vector<optim::BatchPhase>& phases() const { return phases_; }

 private:
  std::vector<optim::BatchPhase> phases_;
  std::int64_t num_steps_ = 0;
};

// Stages of the data, changes of the batch, warm-up and cooldown, in the order of samples.
std::vector<RunEvent> run_events(const RunConfig& config);

}  // namespace cairn::train
