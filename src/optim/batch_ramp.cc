#include "optim/batch_ramp.h"

#include <string>

#include "base/check.h"

namespace cairn::optim {
namespace {

std::int64_t nominal_batch(const BatchRampConfig& config, std::int64_t n) {
  if (config.start_batch == 0 || n > config.ramp_samples || config.start_batch == config.global_batch) {
    return config.global_batch;
  }
  const std::int64_t num_increments = (config.global_batch - config.start_batch) / config.increment;
  // floor(n / (ramp / num_increments)) without rounding.
  const std::int64_t taken =
      config.ramp_samples == 0 ? num_increments : n * num_increments / config.ramp_samples;
  return config.start_batch + taken * config.increment;
}

std::int64_t samples_at_once(const BatchRampConfig& config) {
  return config.microbatch * config.data_parallel;
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

std::int64_t num_steps(const BatchRampConfig& config, std::int64_t consumed_samples,
                       std::int64_t total_samples) {
  std::int64_t steps = 0;
  std::int64_t n = consumed_samples;
  while (n < total_samples) {
    const std::int64_t samples = batch_size_at(config, n).samples;
    if (config.start_batch == 0 || n > config.ramp_samples) {
      return steps + (total_samples - n + samples - 1) / samples;
    }
    n += samples;
    ++steps;
  }
  return steps;
}

namespace {

void check_multiple(const BatchRampConfig& config, std::int64_t batch, const std::string& field,
                    Faults& faults) {
  const std::int64_t unit = samples_at_once(config);
  if (batch < unit) {
    faults.add(field, std::to_string(batch),
               "smaller than one microbatch on every data-parallel rank (" + std::to_string(unit) + ")",
               "give at least microbatch * data_parallel");
  } else if (!config.decrease_batch_size_if_needed && batch % unit != 0) {
    faults.add(field, std::to_string(batch),
               "not a multiple of microbatch * data_parallel (" + std::to_string(unit) + ")",
               "change one of them, or set decrease_batch_size_if_needed");
  }
}

void check_ramp(const BatchRampConfig& config, const std::string& prefix, Faults& faults) {
  const std::int64_t growth = config.global_batch - config.start_batch;
  if (config.start_batch < 0 || growth < 0) {
    faults.add(prefix + "start_batch", std::to_string(config.start_batch), "not between 0 and global_batch",
               "give the batch of the first step, or 0 for no ramp");
    return;
  }
  if (config.ramp_samples < 0) {
    faults.add(prefix + "ramp_samples", std::to_string(config.ramp_samples), "a count is not negative",
               "give the samples over which the batch grows");
  }
  if (growth == 0) {
    return;
  }
  if (config.increment <= 0 || growth % config.increment != 0) {
    faults.add(prefix + "increment", std::to_string(config.increment),
               "does not divide global_batch - start_batch = " + std::to_string(growth),
               "give a divisor; the whole difference makes one switch");
    return;
  }
  check_multiple(config, config.start_batch, prefix + "start_batch", faults);
  if (!config.decrease_batch_size_if_needed && config.increment % samples_at_once(config) != 0) {
    faults.add(prefix + "increment", std::to_string(config.increment),
               "not a multiple of microbatch * data_parallel",
               "change one of them, or set decrease_batch_size_if_needed");
  }
}

}  // namespace

Faults check_batch_ramp(const BatchRampConfig& config, std::string_view prefix) {
  Faults faults;
  const std::string p(prefix);
  if (config.microbatch <= 0) {
    faults.add(p + "microbatch", std::to_string(config.microbatch), "must be positive", "give 1 or more");
  }
  if (config.data_parallel <= 0) {
    faults.add(p + "data_parallel", std::to_string(config.data_parallel), "must be positive",
               "give 1 or more");
  }
  if (!faults.empty()) {
    return faults;
  }
  check_multiple(config, config.global_batch, p + "global_batch", faults);
  if (config.start_batch != 0) {
    check_ramp(config, p, faults);
  }
  return faults;
}

}  // namespace cairn::optim
