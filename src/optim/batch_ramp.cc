#include "optim/batch_ramp.h"

#include <algorithm>
#include <limits>
#include <string>

#include <fmt/format.h>

#include "base/check.h"

namespace cairn::optim {
namespace {

std::int64_t samples_at_once(const BatchRampConfig& config) {
  return config.microbatch * config.data_parallel;
}

std::int64_t num_increments(const BatchRampConfig& config) {
  return config.start_batch == 0 || config.start_batch == config.global_batch
             ? 0
             : (config.global_batch - config.start_batch) / config.increment;
}

// Consumed samples from which `taken` of K increments have been added: ceil(taken * ramp / K), in parts that stay
// inside 64 bits (taken and ramp % K are at most K, which is at most kBatchMax).
std::int64_t increment_begin(const BatchRampConfig& config, std::int64_t taken, std::int64_t K) {
  const std::int64_t part = taken * (config.ramp_samples % K);
  return taken * (config.ramp_samples / K) + (part + K - 1) / K;
}

std::int64_t nominal_batch(const BatchRampConfig& config, std::int64_t n) {
  const std::int64_t K = num_increments(config);
  if (K == 0 || n >= config.ramp_samples) {
    return config.global_batch;
  }
  std::int64_t low = 0;  // increments that have been added for certain
  std::int64_t high = K;
  while (low < high) {
    const std::int64_t middle = low + (high - low + 1) / 2;
    if (increment_begin(config, middle, K) <= n) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return config.start_batch + low * config.increment;
}

// Consumed samples at which steps become larger than those at `size`; the maximum when they never do.
std::int64_t phase_end(const BatchRampConfig& config, const BatchSize& size) {
  const std::int64_t K = num_increments(config);
  const std::int64_t larger = size.samples + samples_at_once(config);
  if (K == 0 || larger > config.global_batch) {
    return std::numeric_limits<std::int64_t>::max();
  }
  const std::int64_t taken = (larger - config.start_batch + config.increment - 1) / config.increment;
  return increment_begin(config, taken, K);
}

}  // namespace

BatchSize batch_size_at(const BatchRampConfig& config, std::int64_t consumed_samples) {
  CHECK(consumed_samples >= 0, "samples consumed are negative");
  BatchSize size;
  size.nominal = nominal_batch(config, consumed_samples);
  size.num_microbatches = size.nominal / samples_at_once(config);
  size.samples = size.num_microbatches * samples_at_once(config);
  size.skipped = size.nominal - size.samples;
  CHECK(size.samples > 0, "a batch without samples; check_batch_ramp tells");
  return size;
}

std::vector<BatchPhase> batch_phases(const BatchRampConfig& config, std::int64_t total_samples) {
  CHECK(total_samples >= 0, "samples of a run are negative");
  std::vector<BatchPhase> phases;
  BatchPhase next;
  while (true) {
    next.samples = batch_size_at(config, next.first_sample).samples;
    const std::int64_t fitting = (total_samples - next.first_sample) / next.samples;
    const std::int64_t end = phase_end(config, batch_size_at(config, next.first_sample));
    const bool is_last = end == std::numeric_limits<std::int64_t>::max();
    const std::int64_t left = end - next.first_sample;
    const std::int64_t in_phase =
        is_last ? fitting : left / next.samples + (left % next.samples != 0 ? 1 : 0);
    next.num_steps = std::min(fitting, in_phase);
    if (next.num_steps > 0) {
      phases.push_back(next);
    }
    if (is_last || next.num_steps < in_phase) {
      return phases;
    }
    next.first_step += next.num_steps;
    next.first_sample += next.num_steps * next.samples;
  }
}

StepCount count_steps(const BatchRampConfig& config, std::int64_t total_samples) {
  StepCount count;
  for (const BatchPhase& phase : batch_phases(config, total_samples)) {
    count.steps += phase.num_steps;
    count.consumed_samples += phase.num_steps * phase.samples;
    const bool is_ramp = phase_end(config, batch_size_at(config, phase.first_sample)) !=
                         std::numeric_limits<std::int64_t>::max();
    count.ramp_steps += is_ramp ? phase.num_steps : 0;
    count.max_batch = phase.samples;
  }
  return count;
}

namespace {

// The fault of a batch that is no whole number of microbatches; `field` names it.
void check_multiple(const BatchRampConfig& config, std::int64_t batch, const std::string& field,
                    Faults& faults) {
  const std::int64_t unit = samples_at_once(config);
  if (!config.decrease_batch_if_needed && batch % unit != 0) {
    faults.add(field, std::to_string(batch),
               fmt::format("is not a multiple of microbatch * ranks = {}", unit),
               "change one of them, or set ramp.decrease_batch_if_needed");
  }
}

void check_ramp(const BatchRampConfig& config, const std::string& prefix, Faults& faults) {
  const std::int64_t growth = config.global_batch - config.start_batch;
  if (config.start_batch < 0 || growth < 0) {
    faults.add(prefix + "ramp.start_batch", std::to_string(config.start_batch),
               fmt::format("is above {}global_batch = {}, or negative", prefix, config.global_batch),
               "give the batch of the first step, or 0 for no ramp");
    return;
  }
  if (config.ramp_samples <= 0) {
    faults.add(prefix + "ramp.samples", std::to_string(config.ramp_samples),
               "is missing, and ramp.start_batch is given", "give the samples over which the batch grows");
  }
  const std::int64_t unit = samples_at_once(config);
  if (config.start_batch < unit) {
    faults.add(prefix + "ramp.start_batch", std::to_string(config.start_batch),
               fmt::format("is less than one microbatch on every rank, {} samples", unit),
               "give at least that");
  } else {
    check_multiple(config, config.start_batch, prefix + "ramp.start_batch", faults);
  }
  if (growth == 0) {
    return;
  }
  if (config.increment <= 0 || growth % config.increment != 0) {
    faults.add(prefix + "ramp.increment", std::to_string(config.increment),
               fmt::format("does not divide global_batch - start_batch = {}", growth),
               "give a divisor; the whole difference makes one switch");
  } else {
    check_multiple(config, config.increment, prefix + "ramp.increment", faults);
  }
}

void check_global_batch(const BatchRampConfig& config, const std::string& prefix, Faults& faults) {
  const std::int64_t unit = samples_at_once(config);
  const std::string batch = std::to_string(config.global_batch);
  if (config.global_batch < 1 || config.global_batch > kBatchMax) {
    faults.add(prefix + "global_batch", batch, "is not a usable size",
               fmt::format("give 1 to {}", kBatchMax));
  } else if (config.global_batch < unit ||
             (!config.decrease_batch_if_needed && config.global_batch % unit != 0)) {
    faults.add(prefix + "microbatch", std::to_string(config.microbatch),
               fmt::format("does not divide {}global_batch = {}", prefix, batch) +
                   (config.data_parallel > 1 ? fmt::format(" / {} ranks", config.data_parallel) : ""),
               "a step is a whole number of microbatches");
  } else if (config.global_batch / unit > kMicrobatchesMax) {
    faults.add(prefix + "global_batch", batch,
               fmt::format("is {} microbatches of {}microbatch = {} in one step, more than {}",
                           config.global_batch / unit, prefix, config.microbatch, kMicrobatchesMax),
               "lower the batch or raise the microbatch");
  }
}

}  // namespace

Faults check_batch_ramp(const BatchRampConfig& config, std::string_view prefix) {
  Faults faults;
  const std::string p(prefix);
  for (const auto& [field, value] :
       {std::pair("microbatch", config.microbatch), {"data_parallel", config.data_parallel}}) {
    if (value < 1 || value > kBatchMax) {
      faults.add(p + field, std::to_string(value), "is not a usable size",
                 fmt::format("give 1 to {}", kBatchMax));
    }
  }
  if (!faults.empty()) {
    return faults;
  }
  check_global_batch(config, p, faults);
  if (config.start_batch != 0) {
    check_ramp(config, p, faults);
  } else if (config.increment != 0 || config.ramp_samples != 0) {
    faults.add(p + "ramp.start_batch", "", "is missing, but other keys of the ramp are given",
               "give it or remove the ramp");
  }
  return faults;
}

}  // namespace cairn::optim
