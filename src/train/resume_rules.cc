#include "train/resume_rules.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/faults.h"

namespace cairn::train {
namespace {

void add_if_different(Faults& faults, const char* field, std::int64_t saved, std::int64_t now,
                      const char* reason) {
  if (saved != now) {
    faults.add(field, std::to_string(now), fmt::format("the checkpoint was made with {}: {}", saved, reason),
               "set it back, or start a new run from these weights (checkpoint.load with task.weights_only)");
  }
}

constexpr const char* kOtherOrder = "the samples would come in another order, some twice, some never";

// A shuffle of one epoch is over all its samples, however many the run takes.
bool is_same_length(const checkpoint::SourcePosition& saved, const checkpoint::SourcePosition& now) {
  return saved.num_samples == now.num_samples || (saved.num_epochs == 1 && now.num_epochs == 1);
}

void check_source(const std::string& field, const checkpoint::SourcePosition& saved,
                  const checkpoint::SourcePosition& now, Faults& faults) {
  if (saved.weight != now.weight) {
    faults.add(field + ".weight", fmt::format("{}", now.weight),
               fmt::format("the checkpoint was made with {}: {}", saved.weight, kOtherOrder), "set it back");
  }
  add_if_different(faults, (field + ".first_sample").c_str(), saved.first_sample, now.first_sample,
                   "an earlier stage would have taken another number of its samples");
  if (!is_same_length(saved, now)) {
    add_if_different(faults, "train.samples", saved.num_samples, now.num_samples,
                     "over several epochs the order depends on how many samples are taken in all");
  }
}

void check_stage(std::size_t i, const checkpoint::StagePosition& saved, const checkpoint::StagePosition& now,
                 Faults& faults) {
  const std::string field = fmt::format("data.stage.{}", i);
  add_if_different(faults, "train.sequence", saved.sequence, now.sequence, kOtherOrder);
  add_if_different(faults, (field + ".start_samples").c_str(), saved.start_samples, now.start_samples,
                   kOtherOrder);
  add_if_different(faults, (field + ".source").c_str(), static_cast<std::int64_t>(saved.sources.size()),
                   static_cast<std::int64_t>(now.sources.size()), kOtherOrder);
  for (std::size_t j = 0; j < std::min(saved.sources.size(), now.sources.size()); ++j) {
    if (saved.sources[j].seed != now.sources[j].seed) {
      add_if_different(faults, (field + ".seed").c_str(), saved.sources[j].seed, now.sources[j].seed,
                       kOtherOrder);
      return;  // or once for each source
    }
    check_source(fmt::format("{}.source.{}", field, j), saved.sources[j], now.sources[j], faults);
  }
}

void check_order(const checkpoint::TrainState& saved, const std::vector<checkpoint::StagePosition>& now,
                 Faults& faults) {
  for (std::size_t i = 0; i < std::min(saved.stages.size(), now.size()); ++i) {
    check_stage(i, saved.stages[i], now[i], faults);
  }
  if (saved.stages.size() > now.size()) {
    add_if_different(faults, "data.stage", static_cast<std::int64_t>(saved.stages.size()),
                     static_cast<std::int64_t>(now.size()), "those stages have begun");
  } else if (saved.stages.size() < now.size() &&
             now[saved.stages.size()].start_samples < saved.consumed_samples && !saved.stages.empty()) {
    faults.add(fmt::format("data.stage.{}.start_samples", saved.stages.size()),
               std::to_string(now[saved.stages.size()].start_samples),
               fmt::format("the checkpoint is beyond it, at {} samples", saved.consumed_samples),
               "a stage can still begin at that number of samples or later");
  }
}

std::string fingerprint_of(const std::vector<checkpoint::DataFingerprint>& list, const std::string& source) {
  const auto found = std::ranges::find(list, source, &checkpoint::DataFingerprint::source);
  return found == list.end() ? "" : found->fingerprint;
}

// A source may lie elsewhere now; what it holds must be the same.
Status check_contents(const checkpoint::TrainState& saved, const ResumeFacts& now,
                      const std::string& checkpoint_path) {
  for (std::size_t i = 0; i < std::min(saved.stages.size(), now.stages.size()); ++i) {
    const auto& before = saved.stages[i].sources;
    const auto& after = now.stages[i].sources;
    for (std::size_t j = 0; j < std::min(before.size(), after.size()); ++j) {
      const std::string expected = fingerprint_of(saved.data_fingerprints, before[j].source);
      const std::string found = fingerprint_of(now.data_fingerprints, after[j].source);
      if (expected != found) {
        return bad_data(
            fmt::format("{} is not the data that {} was trained on (fingerprint {}, expected {}); restore "
                        "the shard, or start a "
                        "new run from these weights (checkpoint.load with task.weights_only)",
                        after[j].source, checkpoint_path, found, expected));
      }
    }
  }
  return ok_status();
}

}  // namespace

Status check_resume(const checkpoint::TrainState& saved, const nn::ModelConfig& saved_model,
                    const ResumeFacts& now, const std::string& checkpoint_path) {
  TRY(check_contents(saved, now, checkpoint_path));
  if (saved.tokenizer_fingerprint != now.tokenizer_fingerprint) {
    return bad_data(
        fmt::format("the tokenizer is not the one of {} (fingerprint \"{}\", expected \"{}\"); name the same "
                    "tokenizer.file",
                    checkpoint_path, now.tokenizer_fingerprint, saved.tokenizer_fingerprint));
  }
  Faults faults;
  check_order(saved, now.stages, faults);
  // One spelling of both: what is not in a config.json is not compared.
  if (nn::model_config_to_json(saved_model, "float32") != nn::model_config_to_json(now.model, "float32")) {
    faults.add("model", "", fmt::format("differs from config.json in {}", checkpoint_path),
               "set it back, or start a new run from these weights (checkpoint.load with task.weights_only)");
  }
  return faults.to_status(StatusCode::kBadConfig,
                          fmt::format("this run cannot go on from {}", checkpoint_path));
}

}  // namespace cairn::train
