#include "train/run_config_rules.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "config/config_text.h"

namespace cairn::train {
namespace {

class Rules {
 public:
  Rules(const RunConfig& config, ReadReport& report) : config_(config), report_(report) {}

  void check_run();
  void check_model();
  void check_data();
  void check_train();
  void check_ramp();
  void check_schedule();
  void check_parallel();
  void check_evaluation();
  void check_start();

 private:
  // The first of `paths` names the fault; none of them may be doubtful already.
  void require(bool is_met, std::initializer_list<std::string_view> paths, std::string value,
               std::string reason, std::string fix) {
    const bool is_known_wrong =
        std::any_of(paths.begin(), paths.end(), [&](std::string_view p) { return report_.is_doubtful(p); });
    if (!is_met && !is_known_wrong) {
      report_.faults.add(std::string(*paths.begin()), std::move(value), std::move(reason), std::move(fix));
    }
  }
  void require_size(std::string_view path, std::int64_t size) {
    require(size > 0, {path, "model.type"}, "", "is missing, and model.type makes a new model",
            "give the size, or model.from for an existing model");
  }
  void require_no_sizes();
  void require_sizes();

  const RunConfig& config_;
  ReadReport& report_;
};

std::string number(std::int64_t value) {
  return fmt::format("{}", value);
}

void Rules::check_run() {
  const std::string& name = config_.run.name;
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return c != '/' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
  });
  require(is_plain && name != "." && name != "..", {"run.name"}, scalar_to_toml(name),
          "is not usable as the name of a folder", "use letters, digits, '-', '_' and '.'");
  require(config_.run.deterministic, {"run.deterministic"}, "false",
          "a faster mode with varying bits is not implemented yet", "leave it true");
}

// With model.from the folder decides; a size that differs from the default was meant to count.
void Rules::require_no_sizes() {
  const ModelSection defaults;
  const std::vector<FlatField> given = flatten_config(config_.model);
  const std::vector<FlatField> standard = flatten_config(defaults);
  for (const FieldDifference& difference : diff_fields(standard, given)) {
    if (difference.path == "from") {
      continue;
    }
    const std::string path = "model." + difference.path;
    require(false, {path, "model.from"}, difference.right,
            "model.from is given, whose config.json decides this", "remove one of the two");
  }
}

void Rules::require_sizes() {
  const ModelSection& model = config_.model;
  require(nn::model_type_from_name(model.type).has_value(), {"model.type"}, scalar_to_toml(model.type),
          "is not a model type of this program", "one of apertus, llama, qwen3, mistral, olmo2");
  require_size("model.hidden_size", model.hidden_size);
  require_size("model.intermediate_size", model.intermediate_size);
  require_size("model.num_hidden_layers", model.num_hidden_layers);
  require_size("model.num_attention_heads", model.num_attention_heads);
  const std::int64_t H = std::max<std::int64_t>(model.num_attention_heads, 1);
  const std::int64_t G = model.num_key_value_heads == 0 ? H : model.num_key_value_heads;
  require(H % G == 0, {"model.num_key_value_heads", "model.num_attention_heads"}, number(G),
          fmt::format("does not divide model.num_attention_heads = {}", H),
          "each key/value head serves the same number of query heads");
  if (model.head_dim == 0) {
    require(model.hidden_size % H == 0, {"model.hidden_size", "model.num_attention_heads", "model.head_dim"},
            number(model.hidden_size), fmt::format("is not a multiple of model.num_attention_heads = {}", H),
            "change one of them or give model.head_dim");
  }
  const std::int64_t C = model.head_dim == 0 ? model.hidden_size / H : model.head_dim;
  require(C % 2 == 0, {"model.head_dim", "model.hidden_size", "model.num_attention_heads"}, number(C),
          "is odd, but rotary embedding turns pairs of channels",
          "choose an even number of channels per head");
  const std::int64_t positions = model.max_position_embeddings;
  require(positions == 0 || config_.train.sequence <= positions,
          {"train.sequence", "model.max_position_embeddings"}, number(config_.train.sequence),
          fmt::format("is longer than model.max_position_embeddings = {}", positions),
          "shorten the sequence or raise model.max_position_embeddings");
  const RopeSection& rope = model.rope;
  require(rope.type != nn::RopeType::kLlama3 || rope.high_freq_factor > rope.low_freq_factor,
          {"model.rope.high_freq_factor", "model.rope.low_freq_factor"},
          scalar_to_toml(rope.high_freq_factor),
          fmt::format("is not above model.rope.low_freq_factor = {}", scalar_to_toml(rope.low_freq_factor)),
          "Apertus and Llama 3 use 1.0 and 4.0");
}

void Rules::check_model() {
  const ModelSection& model = config_.model;
  const bool has_from = !model.from.empty();
  const bool has_type = !model.type.empty();
  require(has_from || has_type, {"model", "model.from", "model.type"}, "", "neither from nor type is given",
          "give from = \"folder\" for an existing model, or type and sizes for a new one");
  if (has_from) {
    require_no_sizes();
  } else if (has_type) {
    require_sizes();
  }
  const bool has_size = has_from || model.vocab_size > 0 || !config_.tokenizer.file.empty();
  require(has_size || !has_type, {"tokenizer.file", "model.vocab_size"}, "",
          "is missing, and model.vocab_size is 0, which means the tokenizer's size",
          "give the tokenizer.json that the token files were made with, or model.vocab_size");
}

void Rules::check_data() {
  const std::vector<StageSection>& stages = config_.data.stage;
  require(!stages.empty(), {"data.stage"}, "", "there is no data to train on",
          "add [[data.stage]] and below it [[data.stage.source]] with a path");
  require(stages.size() <= 1, {"data.stage"}, number(static_cast<std::int64_t>(stages.size())) + " stages",
          "more than one stage is not implemented yet", "keep one");
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::string prefix = fmt::format("data.stage.{}", i);
    const StageSection& stage = stages[i];
    require(i > 0 || stage.start_samples == 0, {prefix + ".start_samples"}, number(stage.start_samples),
            "the first stage must start at 0", "remove it");
    const std::string sources = prefix + ".source";
    require(!stage.source.empty(), {sources}, "", "the stage has no source",
            "add [[data.stage.source]] with a path");
    require(stage.source.size() <= 1, {sources},
            number(static_cast<std::int64_t>(stage.source.size())) + " sources",
            "a mixture of several sources is not implemented yet", "keep one");
    for (std::size_t j = 0; j < stage.source.size(); ++j) {
      const std::string path = fmt::format("{}.{}.path", sources, j);
      require(!stage.source[j].path.empty(), {path}, "", "is missing", "give the prefix of a .bin/.idx pair");
    }
  }
}

void Rules::check_train() {
  const TrainSection& train = config_.train;
  require(train.global_batch > 0, {"train.global_batch"}, "", "is missing", "give the samples per step");
  if (train.global_batch > 0) {
    require(train.global_batch % train.microbatch == 0, {"train.microbatch", "train.global_batch"},
            number(train.microbatch),
            fmt::format("does not divide train.global_batch = {}", train.global_batch),
            "a step is a whole number of microbatches");
  }
  const bool has_samples = train.samples > 0;
  const bool has_tokens = train.tokens > 0;
  require(has_samples || has_tokens, {"train.samples", "train.tokens"}, "",
          "the length of the run is missing", "give train.samples or train.tokens");
  require(!(has_samples && has_tokens), {"train.tokens", "train.samples"}, number(train.tokens),
          fmt::format("train.samples = {} is given too", train.samples), "remove one of the two");
  require(train.samples <= std::numeric_limits<std::int64_t>::max() / train.sequence,
          {"train.samples", "train.sequence"}, number(train.samples), "that many tokens cannot be counted",
          "shorten the run");
  if (has_samples != has_tokens) {
    const std::int64_t samples = has_samples ? train.samples : train.tokens / train.sequence;
    const std::int64_t batch = train.ramp.start_batch > 0 ? train.ramp.start_batch : train.global_batch;
    const std::string_view path = has_samples ? "train.samples" : "train.tokens";
    require(samples >= batch, {path, "train.global_batch", "train.sequence", "train.ramp"},
            number(has_samples ? train.samples : train.tokens),
            fmt::format("is less than one step of {} samples", batch), "lengthen the run or lower the batch");
  }
}

void Rules::check_ramp() {
  const RampSection& ramp = config_.train.ramp;
  const TrainSection& train = config_.train;
  if (ramp.start_batch == 0) {
    require(ramp.increment == 0 && ramp.samples == 0, {"train.ramp.start_batch", "train.ramp"}, "",
            "is missing, but other keys of the ramp are given", "give it or remove [train.ramp]");
    return;
  }
  require(ramp.samples > 0, {"train.ramp.samples"}, "", "is missing",
          "give the length of the ramp in samples");
  require(ramp.start_batch <= train.global_batch, {"train.ramp.start_batch", "train.global_batch"},
          number(ramp.start_batch), fmt::format("is above train.global_batch = {}", train.global_batch),
          "a ramp grows");
  const std::int64_t growth = train.global_batch - ramp.start_batch;
  require(ramp.increment > 0 && growth % std::max<std::int64_t>(ramp.increment, 1) == 0,
          {"train.ramp.increment", "train.ramp.start_batch", "train.global_batch"}, number(ramp.increment),
          fmt::format("does not divide global_batch - start_batch = {}", growth),
          "the batch grows in equal increments");
  require(ramp.start_batch % train.microbatch == 0, {"train.ramp.start_batch", "train.microbatch"},
          number(ramp.start_batch),
          fmt::format("is not a multiple of train.microbatch = {}", train.microbatch),
          "every step is a whole number of microbatches");
  require(ramp.increment % train.microbatch == 0, {"train.ramp.increment", "train.microbatch"},
          number(ramp.increment), fmt::format("is not a multiple of train.microbatch = {}", train.microbatch),
          "every step is a whole number of microbatches");
  const std::int64_t samples = train.samples > 0 ? train.samples : train.tokens / train.sequence;
  require(ramp.samples <= samples, {"train.ramp.samples", "train.samples", "train.tokens", "train.sequence"},
          number(ramp.samples), fmt::format("is longer than the run of {} samples", samples),
          "shorten the ramp or lengthen the run");
}

void Rules::check_schedule() {
  const ScheduleSection& schedule = config_.schedule;
  const TrainSection& train = config_.train;
  const std::int64_t samples = train.samples > 0 ? train.samples : train.tokens / train.sequence;
  const bool has_cooldown = schedule.type == optim::ScheduleType::kWsd;
  const std::int64_t cooldown = has_cooldown ? schedule.cooldown_samples : 0;
  const bool fits = schedule.warmup_samples <= samples && cooldown <= samples - schedule.warmup_samples;
  require(samples == 0 || fits,
          {"schedule.warmup_samples", "schedule.cooldown_samples", "train.samples", "train.tokens",
           "train.sequence"},
          number(schedule.warmup_samples),
          fmt::format("warm-up and cooldown ({} samples) are longer than the run of {} samples", cooldown,
                      samples),
          "shorten them or lengthen the run");
  require(
      schedule.type == optim::ScheduleType::kConstant || schedule.min_learning_rate <= schedule.learning_rate,
      {"schedule.min_learning_rate", "schedule.learning_rate"}, scalar_to_toml(schedule.min_learning_rate),
      fmt::format("is above schedule.learning_rate = {}", scalar_to_toml(schedule.learning_rate)),
      "the rate falls from the peak to the minimum");
  require(schedule.init_learning_rate <= schedule.learning_rate,
          {"schedule.init_learning_rate", "schedule.learning_rate"},
          scalar_to_toml(schedule.init_learning_rate),
          fmt::format("is above schedule.learning_rate = {}", scalar_to_toml(schedule.learning_rate)),
          "the warm-up grows");
}

void Rules::check_parallel() {
  const ParallelSection& parallel = config_.parallel;
  const auto only_one = [&](std::string_view path, std::int64_t value) {
    require(value == 1, {path}, number(value), "is not implemented yet", "only 1 is");
  };
  only_one("parallel.data", parallel.data);
  only_one("parallel.tensor", parallel.tensor);
  only_one("parallel.pipeline", parallel.pipeline);
  only_one("parallel.context", parallel.context);
  only_one("parallel.chunks", parallel.chunks);
}

void Rules::check_evaluation() {
  const EvalSection& eval = config_.eval;
  require(eval.every == 0 || !eval.set.empty(), {"eval.set"}, "", "eval.every is given, but there is no set",
          "add [[eval.set]] with name and path, or remove eval.every");
  std::set<std::string> names;
  for (std::size_t i = 0; i < eval.set.size(); ++i) {
    const std::string prefix = fmt::format("eval.set.{}", i);
    const std::string& name = eval.set[i].name;
    require(!name.empty(), {prefix + ".name"}, "", "is missing", "name the set; metrics carry the name");
    require(name.empty() || names.insert(name).second, {prefix + ".name"}, scalar_to_toml(name),
            "another set has the same name", "choose another");
    require(!eval.set[i].path.empty(), {prefix + ".path"}, "", "is missing",
            "give the prefix of a .bin/.idx pair");
  }
}

void Rules::check_start() {
  const std::string& load = config_.checkpoint.load;
  require(!load.empty(), {"checkpoint.load"}, "\"\"", "is empty", "use \"auto\", \"fresh\" or a path");
  const bool is_path = load != "auto" && load != "fresh";
  require(!config_.task.weights_only || is_path, {"task.weights_only", "checkpoint.load"}, "true",
          fmt::format("checkpoint.load = {} is not the path of a checkpoint", scalar_to_toml(load)),
          "give the path of the checkpoint whose weights to take");
}

}  // namespace

void check_run_rules(const RunConfig& config, ReadReport& report) {
  Rules rules(config, report);
  rules.check_run();
  rules.check_model();
  rules.check_data();
  rules.check_train();
  rules.check_ramp();
  rules.check_schedule();
  rules.check_parallel();
  rules.check_evaluation();
  rules.check_start();
}

}  // namespace cairn::train
