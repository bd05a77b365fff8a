#include "optim/learning_rate.h"

#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "base/check.h"

namespace cairn::optim {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"constant", "linear", "cosine", "wsd"};

// The share of (maximum - minimum) that is left after the warm-up, n <= total.
double decay(const LearningRateConfig& config, std::int64_t n) {
  if (config.type == ScheduleType::kWsd) {
    const std::int64_t cooldown_begin = config.total_samples - config.cooldown_samples;
    if (n <= cooldown_begin) {
      return 1.0;
    }
    return 1.0 -
           std::sqrt(static_cast<double>(n - cooldown_begin) / static_cast<double>(config.cooldown_samples));
  }
  const double r = static_cast<double>(n - config.warmup_samples) /
                   static_cast<double>(config.total_samples - config.warmup_samples);
  return config.type == ScheduleType::kLinear ? 1.0 - r : 0.5 * (std::cos(std::numbers::pi * r) + 1.0);
}

}  // namespace

std::string_view schedule_type_name(ScheduleType type) {
  return kNames[static_cast<std::size_t>(type)];
}

std::optional<ScheduleType> schedule_type_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) {
      return static_cast<ScheduleType>(i);
    }
  }
  return std::nullopt;
}

double learning_rate(const LearningRateConfig& config, std::int64_t consumed_samples) {
  const std::int64_t n = consumed_samples;
  CHECK(n >= 0, "samples consumed are negative");
  if (config.warmup_samples > 0 && n <= config.warmup_samples) {
    return config.initial + (config.maximum - config.initial) * static_cast<double>(n) /
                                static_cast<double>(config.warmup_samples);
  }
  if (config.type == ScheduleType::kConstant) {
    return config.maximum;
  }
  if (n > config.total_samples) {
    return config.minimum;
  }
  return config.minimum + decay(config, n) * (config.maximum - config.minimum);
}

Faults check_learning_rate(const LearningRateConfig& config, std::string_view prefix) {
  Faults faults;
  const std::string p(prefix);
  const auto need = [&](bool is_good, const char* field, const std::string& value, const char* reason,
                        const char* fix) {
    if (!is_good) {
      faults.add(p + field, value, reason, fix);
    }
  };
  const auto check_rate = [&](double rate, const char* field) {
    need(std::isfinite(rate) && rate >= 0.0, field, std::to_string(rate),
         "a learning rate is finite and not negative", "give a number such as 3e-4");
  };
  check_rate(config.maximum, "maximum");
  check_rate(config.minimum, "minimum");
  check_rate(config.initial, "initial");
  need(config.minimum <= config.maximum, "minimum", std::to_string(config.minimum),
       "the rate would rise at the end", "give at most the maximum");
  need(config.initial <= config.maximum, "initial", std::to_string(config.initial),
       "the rate would fall during the warm-up", "give at most the maximum");
  need(config.warmup_samples >= 0, "warmup_samples", std::to_string(config.warmup_samples),
       "a count is not negative", "give 0 for no warm-up");
  if (config.type == ScheduleType::kConstant) {
    return faults;
  }
  need(config.total_samples > 0, "total_samples", std::to_string(config.total_samples),
       "this schedule needs to know its end", "give the samples of the whole run");
  need(config.warmup_samples < config.total_samples, "warmup_samples", std::to_string(config.warmup_samples),
       "the warm-up fills the whole run", "give fewer samples than the run has");
  if (config.type == ScheduleType::kWsd) {
    need(config.cooldown_samples >= 0, "cooldown_samples", std::to_string(config.cooldown_samples),
         "a count is not negative", "give 0 for no cooldown");
    need(config.cooldown_samples <= config.total_samples - config.warmup_samples, "cooldown_samples",
         std::to_string(config.cooldown_samples), "warm-up and cooldown overlap",
         "give at most the samples after the warm-up");
  }
  return faults;
}

}  // namespace cairn::optim
