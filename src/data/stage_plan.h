// The stages of a run's data and what each takes of its sources: a pure function of the run file. No shard is opened.
//
// A stage is a mixture of sources from its first sample to the first of the next stage. Sources with weights are mixed
// by them and repeated when they are too small; sources without are mixed by their sizes and read once. In a stage
// that continues, a source that the stages before it have used goes on where they left it, in the same order, so that
// nothing comes twice before everything came once; a stage that restarts begins each source anew with its own seed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/faults.h"

namespace cairn::data {

struct StageSource {
  std::string prefix;            // of a token shard
  std::optional<double> weight;  // of all sources of a stage or of none
};

enum class StageStart : std::uint8_t { kContinue, kRestart };

struct Stage {
  std::int64_t start_samples = 0;  // samples of the run before it
  std::uint32_t seed = 0;
  StageStart start = StageStart::kContinue;
  std::vector<StageSource> sources;
};

// One source in one order, used by one stage or by several that continue one another.
struct PlannedOrder {
  std::string prefix;
  std::uint32_t seed = 0;
  std::int64_t num_samples = 0;  // to ask for, Megatron's surplus of mixtures included; 0: one epoch
};

struct PlannedUse {
  std::size_t order = 0;   // index into StagePlan::orders
  double weight = 0.0;     // normalized; 0 where the sizes of the sources decide
  double expected = -1.0;  // samples that the stage takes of it, to within a few; -1 where the sizes decide
};

struct PlannedStage {
  std::int64_t start_samples = 0;
  std::int64_t num_samples = 0;
  bool is_by_size = false;  // several sources without weights
  std::vector<PlannedUse> uses;
};

struct StagePlan {
  std::vector<PlannedOrder> orders;
  std::vector<PlannedStage> stages;
};

// Everything that is wrong with stages of a run of `num_samples`; fields are "<prefix>stage.1.source.0.weight" and so
// on. Whether shards exist and are large enough is not looked at.
Faults check_stages(std::span<const Stage> stages, std::int64_t num_samples, std::string_view prefix);

// REQUIRES stages without faults.
StagePlan plan_stages(std::span<const Stage> stages, std::int64_t num_samples);

}  // namespace cairn::data
