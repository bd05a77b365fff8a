#include "optim/learning_rate.h"

#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include <fmt/format.h>

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

std::span<const std::string_view> enum_names(ScheduleType /*type*/) {
  return kNames;
}

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
  const auto need = [&](bool is_good, const char* field, auto value, std::string reason, const char* fix) {
    if (!is_good) {
      faults.add(p + field, fmt::format("{}", value), std::move(reason), fix);
    }
  };
  const auto check_rate = [&](double rate, const char* field) {
    need(std::isfinite(rate) && rate >= 0.0, field, rate, "a learning rate is finite and not negative",
         "give a number such as 3e-4");
  };
  const std::string peak = fmt::format("is above {}learning_rate = {}", prefix, config.maximum);
  const bool has_end = config.type != ScheduleType::kConstant;
  check_rate(config.maximum, "learning_rate");
  check_rate(config.minimum, "min_learning_rate");
  check_rate(config.initial, "init_learning_rate");
  need(!has_end || config.minimum <= config.maximum, "min_learning_rate", config.minimum, peak,
       "the rate falls from the peak to the minimum");
  need(config.initial <= config.maximum, "init_learning_rate", config.initial, peak, "the warm-up grows");
  need(config.warmup_samples >= 0, "warmup_samples", config.warmup_samples, "a count is not negative",
       "give 0 for no warm-up");
  if (!has_end) {
    return faults;
  }
  need(config.total_samples > 0, "total_samples", config.total_samples, "this schedule needs to know its end",
       "give the samples of the whole run");
  const std::int64_t cooldown = config.type == ScheduleType::kWsd ? config.cooldown_samples : 0;
  need(cooldown >= 0, "cooldown_samples", cooldown, "a count is not negative", "give 0 for no cooldown");
  need(config.warmup_samples <= config.total_samples &&
           cooldown <= config.total_samples - config.warmup_samples,
       "warmup_samples", config.warmup_samples,
       fmt::format("warm-up and cooldown ({} samples) are longer than the run of {} samples", cooldown,
                   config.total_samples),
       "shorten them or lengthen the run");
  return faults;
}

}  // namespace cairn::optim
