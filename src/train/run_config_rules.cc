#include "train/run_config_rules.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "config/config_text.h"
#include "device/cuda_device.h"

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
    if (!is_met && !is_doubtful(paths)) {
      report_.faults.add(std::string(*paths.begin()), std::move(value), std::move(reason), std::move(fix));
    }
  }
  void require_size(std::string_view path, std::int64_t size) {
    require(size > 0, {path, "model.type"}, "", "is missing, and model.type makes a new model",
            "give the size, or model.from for an existing model");
  }
  // Faults that an owner found, unless the key of one is doubtful already.
  void adopt(const Faults& faults) {
    for (const Fault& fault : faults.list()) {
      require(false, {fault.field}, fault.value, fault.reason, fault.fix);
    }
  }
  bool is_doubtful(std::initializer_list<std::string_view> paths) const {
    return std::any_of(paths.begin(), paths.end(),
                       [&](std::string_view p) { return report_.is_doubtful(p); });
  }
  void require_no_sizes();
  void require_sizes();
  void check_shape();

  // Of the whole run; 0 when the file does not say.
  std::int64_t run_samples() const {
    return config_.train.samples > 0 ? config_.train.samples : config_.train.tokens / config_.train.sequence;
  }

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
  const bool is_on_gpu = config_.run.device == RunDevice::kCuda;
  require(!is_on_gpu || CudaDevice::is_built(), {"run.device"}, scalar_to_toml(std::string("cuda")),
          "is not available: this program was built without CUDA", "use \"cpu\", or build where nvcc is");
  require(is_on_gpu || config_.optimizer.state == OptimizerState::kDevice, {"optimizer.state", "run.device"},
          scalar_to_toml(std::string("host")),
          "moves moments out of a GPU's memory, and the run is on the CPU",
          "remove it, or use run.device = \"cuda\"");
  const bool is_half = config_.precision.compute == ComputeDtype::kBfloat16;
  require(is_on_gpu || !is_half, {"precision.compute", "run.device"}, scalar_to_toml(std::string("bfloat16")),
          "is computed on a GPU only", "use \"float32\", or run.device = \"cuda\"");
  require((is_on_gpu && is_half) || config_.precision.fp8 == Fp8::kNone,
          {"precision.fp8", "precision.compute", "run.device"}, scalar_to_toml(std::string("current")),
          "stands beside bfloat16 on a GPU only",
          "use \"none\", or precision.compute = \"bfloat16\" with run.device = \"cuda\"");
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
  if (model.head_dim == 0) {
    require(model.hidden_size % H == 0, {"model.hidden_size", "model.num_attention_heads", "model.head_dim"},
            number(model.hidden_size), fmt::format("is not a multiple of model.num_attention_heads = {}", H),
            "change one of them or give model.head_dim");
  }
  const std::int64_t positions = model.max_position_embeddings;
  require(positions == 0 || config_.train.sequence <= positions,
          {"train.sequence", "model.max_position_embeddings"}, number(config_.train.sequence),
          fmt::format("is longer than model.max_position_embeddings = {}", positions),
          "shorten the sequence or raise model.max_position_embeddings");
  check_shape();
}

// The model's own rules. Sizes that are missing were told already: harmless ones stand in for them.
void Rules::check_shape() {
  nn::ModelConfig model = new_model_config(config_, 1);
  if (config_.model.hidden_size == 0 || config_.model.num_attention_heads == 0) {
    model.head_dim = config_.model.head_dim == 0 ? 2 : config_.model.head_dim;
  }
  if (config_.model.num_attention_heads == 0) {
    model.num_attention_heads = std::max<std::int64_t>(model.num_key_value_heads, 1);
    model.num_key_value_heads = model.num_attention_heads;
  }
  for (std::int64_t* size : {&model.hidden_size, &model.intermediate_size, &model.num_hidden_layers,
                             &model.max_position_embeddings, &model.vocab_size}) {
    *size = std::max<std::int64_t>(*size, 1);
  }
  adopt(nn::check_model_config(model, "model."));
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
  const bool is_length_doubtful = is_doubtful({"train.samples", "train.tokens", "train.sequence"});
  adopt(data::check_stages(data_stages(config_.data), is_length_doubtful ? 0 : run_samples(), "data."));
}

void Rules::check_train() {
  const TrainSection& train = config_.train;
  require(train.global_batch > 0, {"train.global_batch"}, "", "is missing", "give the samples per step");
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
    const std::int64_t samples = run_samples();
    const std::int64_t batch = train.ramp.start_batch > 0 ? train.ramp.start_batch : train.global_batch;
    const std::string_view path = has_samples ? "train.samples" : "train.tokens";
    require(samples >= batch, {path, "train.global_batch", "train.sequence", "train.ramp"},
            number(has_samples ? train.samples : train.tokens),
            fmt::format("is less than one step of {} samples", batch), "lengthen the run or lower the batch");
  }
}

void Rules::check_ramp() {
  const TrainSection& train = config_.train;
  if (train.global_batch == 0 || is_doubtful({"train.global_batch", "train.microbatch"})) {
    return;
  }
  optim::BatchRampConfig ramp = batch_ramp_config(config_);
  const bool is_ramp_doubtful = is_doubtful({"train.ramp.start_batch", "train.ramp.increment",
                                             "train.ramp.samples", "train.ramp.decrease_batch_if_needed"});
  if (is_ramp_doubtful) {
    ramp = {.global_batch = ramp.global_batch,
            .microbatch = ramp.microbatch,
            .decrease_batch_if_needed = ramp.decrease_batch_if_needed};
  }
  adopt(optim::check_batch_ramp(ramp, "train."));
  const std::int64_t samples = run_samples();
  require(is_ramp_doubtful || ramp.start_batch == 0 || ramp.ramp_samples <= samples,
          {"train.ramp.samples", "train.samples", "train.tokens", "train.sequence"},
          number(ramp.ramp_samples), fmt::format("is longer than the run of {} samples", samples),
          "shorten the ramp or lengthen the run");
}

void Rules::check_schedule() {
  // Without a length there is a fault already.
  const std::int64_t samples = std::max<std::int64_t>(run_samples(), 1);
  optim::LearningRateConfig schedule = learning_rate_config(config_, samples);
  if (is_doubtful({"train.samples", "train.tokens", "train.sequence", "schedule.cooldown_samples"}) ||
      run_samples() == 0) {
    schedule.total_samples = std::numeric_limits<std::int64_t>::max();
  }
  if (is_doubtful({"schedule.learning_rate"})) {
    schedule.maximum = std::max({schedule.maximum, schedule.minimum, schedule.initial});
  }
  adopt(optim::check_learning_rate(schedule, "schedule."));
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

nn::ModelConfig new_model_config(const RunConfig& config, std::int64_t tokenizer_vocab_size) {
  const ModelSection& section = config.model;
  const std::int64_t H = section.num_attention_heads;
  nn::ModelConfig model;
  model.type = nn::model_type_from_name(section.type).value_or(nn::ModelType::kApertus);
  model.vocab_size = section.vocab_size == 0 ? tokenizer_vocab_size : section.vocab_size;
  model.hidden_size = section.hidden_size;
  model.intermediate_size = section.intermediate_size;
  model.num_hidden_layers = section.num_hidden_layers;
  model.num_attention_heads = H;
  model.num_key_value_heads = section.num_key_value_heads == 0 ? H : section.num_key_value_heads;
  model.head_dim = section.head_dim == 0 && H > 0 ? section.hidden_size / H : section.head_dim;
  model.max_position_embeddings =
      section.max_position_embeddings == 0 ? config.train.sequence : section.max_position_embeddings;
  model.rms_norm_eps = section.rms_norm_eps;
  model.initializer_range = section.initializer_range;
  model.tie_word_embeddings = section.tie_word_embeddings;
  model.rope = {.type = section.rope.type,
                .theta = section.rope.theta,
                .factor = section.rope.factor,
                .low_freq_factor = section.rope.low_freq_factor,
                .high_freq_factor = section.rope.high_freq_factor,
                .original_max_position_embeddings = section.rope.original_max_position_embeddings};
  return model;
}

optim::BatchRampConfig batch_ramp_config(const RunConfig& config) {
  const TrainSection& train = config.train;
  return {.global_batch = train.global_batch,
          .start_batch = train.ramp.start_batch,
          .increment = train.ramp.increment,
          .ramp_samples = train.ramp.samples,
          .microbatch = train.microbatch,
          .decrease_batch_if_needed = train.ramp.decrease_batch_if_needed};
}

optim::LearningRateConfig learning_rate_config(const RunConfig& config, std::int64_t total_samples) {
  const ScheduleSection& schedule = config.schedule;
  return {.type = schedule.type,
          .maximum = schedule.learning_rate,
          .minimum = schedule.min_learning_rate,
          .initial = schedule.init_learning_rate,
          .warmup_samples = schedule.warmup_samples,
          .cooldown_samples = schedule.cooldown_samples,
          .total_samples = total_samples};
}

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
