#include "train/resume_rules.h"

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

// A shuffle of one epoch is over all its samples, however many the run takes.
bool is_same_length(const checkpoint::StagePosition& saved, const checkpoint::StagePosition& now) {
  return saved.num_samples == now.num_samples || (saved.num_epochs == 1 && now.num_epochs == 1);
}

void check_order(const checkpoint::StagePosition& saved, const checkpoint::StagePosition& now,
                 Faults& faults) {
  constexpr const char* kOtherOrder = "the samples would come in another order, some twice, some never";
  add_if_different(faults, "data.stage.seed", saved.seed, now.seed, kOtherOrder);
  add_if_different(faults, "train.sequence", saved.sequence, now.sequence, kOtherOrder);
  add_if_different(faults, "data.stage.start_samples", saved.start_samples, now.start_samples, kOtherOrder);
  if (!is_same_length(saved, now)) {
    add_if_different(faults, "train.samples", saved.num_samples, now.num_samples,
                     "over several epochs the order depends on the length of the run");
  }
}

}  // namespace

Status check_resume(const checkpoint::TrainState& saved, const nn::ModelConfig& saved_model,
                    const ResumeFacts& now, const std::string& checkpoint_path) {
  if (!saved.data_fingerprints.empty() &&
      saved.data_fingerprints.front().fingerprint != now.source_fingerprint) {
    return bad_data(fmt::format(
        "{} is not the data that {} was trained on (fingerprint {}, expected {}); restore the shard, or "
        "start a new "
        "run from these weights (checkpoint.load with task.weights_only)",
        now.source, checkpoint_path, now.source_fingerprint, saved.data_fingerprints.front().fingerprint));
  }
  if (saved.tokenizer_fingerprint != now.tokenizer_fingerprint) {
    return bad_data(
        fmt::format("the tokenizer is not the one of {} (fingerprint \"{}\", expected \"{}\"); name the same "
                    "tokenizer.file",
                    checkpoint_path, now.tokenizer_fingerprint, saved.tokenizer_fingerprint));
  }
  Faults faults;
  if (!saved.stages.empty()) {
    check_order(saved.stages.front(), now.stage, faults);
  }
  // One spelling of both: what is not in a config.json is not compared.
  if (nn::model_config_to_json(saved_model, "float32") != nn::model_config_to_json(now.model, "float32")) {
    faults.add("model", "", fmt::format("differs from config.json in {}", checkpoint_path),
               "set it back, or start a new run from these weights (checkpoint.load with task.weights_only)");
  }
  return faults.to_status(StatusCode::kBadConfig,
                          fmt::format("this run cannot go on from {}", checkpoint_path));
}

}  // namespace cairn::train
