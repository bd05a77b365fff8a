// How many samples a step takes, as a function of the samples consumed before it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/faults.h"

namespace cairn::optim {

// From start_batch to global_batch in equal increments over ramp_samples:
//   n <= ramp_samples:  start + floor(n / (ramp / num_increments)) * increment,   afterwards global_batch.
// With increment = global_batch - start_batch it is one switch at n = ramp_samples.
struct BatchRampConfig {
  std::int64_t global_batch = 0;  // samples per step when the ramp is over
  std::int64_t start_batch = 0;   // 0: no ramp
  std::int64_t increment = 0;     // divides global_batch - start_batch
  std::int64_t ramp_samples = 0;
  std::int64_t microbatch = 1;     // samples per microbatch of one data-parallel rank
  std::int64_t data_parallel = 1;  // ranks
  // Rounds a batch that is not a multiple of microbatch * data_parallel down to one; otherwise it is a fault.
  bool decrease_batch_if_needed = false;
};

struct BatchSize {
  std::int64_t nominal = 0;           // by the ramp
  std::int64_t samples = 0;           // what the step takes: a multiple of microbatch * data_parallel
  std::int64_t skipped = 0;           // nominal - samples; counted as skipped samples, never fetched
  std::int64_t num_microbatches = 0;  // per data-parallel rank
};

// REQUIRES: a configuration without faults, consumed_samples >= 0.
BatchSize batch_size_at(const BatchRampConfig& config, std::int64_t consumed_samples);

// Bounds of what a configuration without faults may ask for.
inline constexpr std::int64_t kBatchMax = 1'000'000'000;     // samples per step
inline constexpr std::int64_t kMicrobatchesMax = 1'000'000;  // per step and data-parallel rank

// Everything that is wrong with a configuration, fields named as in the run file: "<prefix>global_batch",
// "<prefix>microbatch", "<prefix>ramp.start_batch", "<prefix>ramp.increment", "<prefix>ramp.samples".
Faults check_batch_ramp(const BatchRampConfig& config, std::string_view prefix);

// Steps one after another that take the same number of samples.
struct BatchPhase {
  std::int64_t first_step = 1;
  std::int64_t first_sample = 0;
  std::int64_t samples = 0;  // of each step
  std::int64_t num_steps = 0;
};
// The phases of a run of `total_samples`, in order; whole steps only. One more than the ramp has changes at most.
// REQUIRES: a configuration without faults, total_samples >= 0.
std::vector<BatchPhase> batch_phases(const BatchRampConfig& config, std::int64_t total_samples);

// The steps of a run of `total_samples`.
struct StepCount {
  std::int64_t steps = 0;             // whole steps that fit
  std::int64_t consumed_samples = 0;  // after the last of them
  std::int64_t ramp_steps = 0;        // of them, those before the batch is that of the end of the ramp
  std::int64_t max_batch = 0;         // samples of the largest step
};

// By phases of equal batch: the time does not depend on the number of steps.
// REQUIRES: a configuration without faults, total_samples >= 0.
StepCount count_steps(const BatchRampConfig& config, std::int64_t total_samples);

}  // namespace cairn::optim
