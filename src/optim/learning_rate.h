// Learning-rate schedules, counted in samples: a pure function of how many samples were consumed before a step.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/faults.h"

namespace cairn::optim {

// After the warm-up, with r from 0 (its end) to 1 (total_samples):
//   kConstant  max
//   kLinear    min + (1 - r) (max - min)
//   kCosine    min + (1 + cos(pi r)) / 2 (max - min)
//   kWsd       max until total - cooldown, then min + (1 - sqrt(d)) (max - min), d from 0 to 1 over the cooldown
//              (warm-up, stable, decay; Haegele et al. 2024, arXiv:2405.18392)
enum class ScheduleType : std::uint8_t { kConstant, kLinear, kCosine, kWsd };
std::span<const std::string_view> enum_names(ScheduleType type);  // all names, in the order of the enum
std::string_view schedule_type_name(ScheduleType type);           // "constant", "linear", "cosine", "wsd"
std::optional<ScheduleType> schedule_type_from_name(std::string_view name);

struct LearningRateConfig {
  ScheduleType type = ScheduleType::kWsd;
  double maximum = 0.0;
  double minimum = 0.0;  // at the end and after it (not kConstant)
  double initial = 0.0;  // where the warm-up begins
  std::int64_t warmup_samples = 0;
  std::int64_t cooldown_samples = 0;  // kWsd only
  std::int64_t total_samples = 0;
};

// The rate of the step that begins after `consumed_samples`: the first step has n = 0, so that with a warm-up from
// 0 it moves nothing.  During the warm-up (n <= warmup): initial + (max - initial) n / warmup.
// REQUIRES: a configuration without faults, consumed_samples >= 0.
double learning_rate(const LearningRateConfig& config, std::int64_t consumed_samples);

// Everything that is wrong with a configuration, fields named as in the run file: "<prefix>learning_rate",
// "<prefix>min_learning_rate", "<prefix>init_learning_rate", "<prefix>warmup_samples", "<prefix>cooldown_samples".
Faults check_learning_rate(const LearningRateConfig& config, std::string_view prefix);

}  // namespace cairn::optim
