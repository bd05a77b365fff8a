// What stages will take of their sources, before anything is opened: for the plan of a run. To within a few samples of
// what RunOrder says.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/stage_plan.h"

namespace cairn::data {

struct SourceForecast {
  std::string prefix;
  double share = -1.0;          // of the stage's samples; -1: unknown, shards are missing that decide it
  double num_samples = -1.0;    // that the stage takes; -1: unknown
  double epochs_before = -1.0;  // of the source, in its order, when the stage begins; -1: unknown
  double epochs_after = -1.0;   // and when it ends; above 1 samples come more than once
};

struct StageForecast {
  std::int64_t start_samples = 0;
  std::int64_t num_samples = 0;
  std::vector<SourceForecast> sources;
  // Samples that are missing in a stage of sources without weights; 0 where it fits or is not known.
  double missing_samples = 0.0;
};

// `epoch_samples` gives the samples of one epoch of a shard, 0 where it is not known.
std::vector<StageForecast> forecast_stages(
    const StagePlan& plan, const std::function<std::int64_t(const std::string& prefix)>& epoch_samples);

}  // namespace cairn::data
