#include "data/stage_plan.h"

#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/check.h"
#include "data/blend.h"

namespace cairn::data {
namespace {

bool has_weights(const Stage& stage) {
  return stage.sources.front().weight.has_value();
}

bool is_by_size(const Stage& stage) {
  return stage.sources.size() > 1 && !has_weights(stage);
}

// More than any order can have; what is larger is refused when the order is to be made.
constexpr std::int64_t kSamplesMax = std::int64_t{1} << 62;

class Checker {
 public:
  Checker(std::span<const Stage> stages, std::int64_t num_samples, std::string_view prefix)
      : stages_(stages), num_samples_(num_samples), prefix_(prefix) {}

  Faults check() {
    if (stages_.empty()) {
      faults_.add(prefix_ + "stage", "", "there is no data to train on",
                  "add [[data.stage]] and below it [[data.stage.source]] with a path");
    }
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      check_start(i);
      check_sources(i);
    }
    if (faults_.empty()) {
      check_chains();
    }
    return std::move(faults_);
  }

 private:
  std::string field(std::size_t stage, std::string_view key) const {
    return fmt::format("{}stage.{}.{}", prefix_, stage, key);
  }
  std::string source_field(std::size_t stage, std::size_t source, std::string_view key) const {
    return fmt::format("{}stage.{}.source.{}.{}", prefix_, stage, source, key);
  }

  void check_start(std::size_t i) {
    const std::int64_t start = stages_[i].start_samples;
    const std::string value = std::to_string(start);
    if (i == 0) {
      if (start != 0) {
        faults_.add(field(i, "start_samples"), value, "the first stage must start at 0", "remove it");
      }
    } else if (start <= stages_[i - 1].start_samples) {
      faults_.add(field(i, "start_samples"), value,
                  fmt::format("the stage before it starts at {}", stages_[i - 1].start_samples),
                  "stages are in the order in which they begin");
    } else if (num_samples_ > 0 && start >= num_samples_) {
      faults_.add(field(i, "start_samples"), value, fmt::format("the run ends at {}", num_samples_),
                  "lengthen the run, start the stage earlier or remove it");
    }
  }

  void check_sources(std::size_t i) {
    const std::vector<StageSource>& sources = stages_[i].sources;
    if (sources.empty()) {
      faults_.add(field(i, "source"), "", "the stage has no source", "add [[data.stage.source]] with a path");
      return;
    }
    if (static_cast<std::int64_t>(sources.size()) > kBlendSourcesMax) {
      faults_.add(field(i, "source"), fmt::format("{} sources", sources.size()),
                  fmt::format("more than the {} that can be mixed", kBlendSourcesMax), "merge shards");
    }
    std::set<std::string> paths;
    for (std::size_t j = 0; j < sources.size(); ++j) {
      if (sources[j].prefix.empty()) {
        faults_.add(source_field(i, j, "path"), "", "is missing", "give the prefix of a .bin/.idx pair");
      } else if (!paths.insert(sources[j].prefix).second) {
        faults_.add(source_field(i, j, "path"), sources[j].prefix, "the stage has this source already",
                    "name it once and raise its weight");
      }
      if (sources[j].weight.has_value() != has_weights(stages_[i])) {
        faults_.add(source_field(i, j, "weight"), "",
                    "some sources of the stage have a weight and some have none",
                    "give all of them weights, or none to mix by size");
      }
    }
  }

  // An order is either read once (by size) or as long as weights ask; one cannot go on as the other.
  void check_chains() {
    std::map<std::string, bool> is_by_size_before;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const bool by_size = is_by_size(stages_[i]);
      for (std::size_t j = 0; j < stages_[i].sources.size(); ++j) {
        const std::string& path = stages_[i].sources[j].prefix;
        const auto [before, is_new] = is_by_size_before.try_emplace(path, by_size);
        if (!is_new && before->second != by_size && stages_[i].start == StageStart::kContinue) {
          faults_.add(source_field(i, j, "weight"), "",
                      fmt::format("an earlier stage mixes {} {}", path, by_size ? "by weights" : "by size"),
                      by_size ? "give the sources of this stage weights, or order = \"restart\""
                              : "give the sources of both stages weights or none, or order = \"restart\"");
        }
        before->second = by_size;
      }
    }
  }

  std::span<const Stage> stages_;
  std::int64_t num_samples_;
  std::string prefix_;
  Faults faults_;
};

std::vector<double> normalized(const Stage& stage) {
  std::vector<double> weights;
  for (const StageSource& source : stage.sources) {
    weights.push_back(source.weight.value_or(1.0));
  }
  return normalize_weights(weights);
}

}  // namespace

Faults check_stages(std::span<const Stage> stages, std::int64_t num_samples, std::string_view prefix) {
  return Checker(stages, num_samples, prefix).check();
}

StagePlan plan_stages(std::span<const Stage> stages, std::int64_t num_samples) {
  StagePlan plan;
  std::map<std::string, std::size_t> orders;  // the newest of each source
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    PlannedStage planned;
    planned.start_samples = stage.start_samples;
    planned.num_samples =
        (i + 1 < stages.size() ? stages[i + 1].start_samples : num_samples) - stage.start_samples;
    planned.is_by_size = is_by_size(stage);
    CHECK(planned.num_samples > 0, "a stage without samples; check_stages tells");
    const std::vector<double> weights = normalized(stage);
    for (std::size_t j = 0; j < stage.sources.size(); ++j) {
      const std::string& prefix = stage.sources[j].prefix;
      const auto known = orders.find(prefix);
      PlannedUse use;
      if (known != orders.end() && stage.start == StageStart::kContinue) {
        use.order = known->second;
      } else {
        use.order = plan.orders.size();
        plan.orders.push_back({prefix, stage.seed, 0});
        orders[prefix] = use.order;
      }
      if (!planned.is_by_size) {
        use.weight = weights[j];
        use.expected = static_cast<double>(planned.num_samples) * weights[j];
        const std::int64_t asked = stage.sources.size() == 1
                                       ? planned.num_samples
                                       : samples_with_surplus(planned.num_samples, weights[j]);
        std::int64_t& all = plan.orders[use.order].num_samples;
        all = asked > kSamplesMax - all ? kSamplesMax : all + asked;
      }
      planned.uses.push_back(use);
    }
    plan.stages.push_back(std::move(planned));
  }
  return plan;
}

}  // namespace cairn::data
