// From the text of a run file to a checked RunConfig, and what follows from one.
#include <fmt/format.h>

#include "config/config_reader.h"
#include "config/config_text.h"
#include "device/cpu_facts.h"
#include "formats/toml.h"
#include "train/run_config.h"
#include "train/run_config_rules.h"

namespace cairn::train {
namespace {

// "recipes/demo.toml" -> "demo"
std::string stem(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::size_t dot = name.find_last_of('.');
  return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

}  // namespace

Result<RunConfig> parse_run_config(std::string_view text, const std::string& name,
                                   std::span<const std::string> overrides) {
  Result<TomlValue> tree = parse_toml(text, TomlLimits{});
  if (!tree.ok()) {
    return tree.status().with_context(name);
  }
  RunConfig config;
  ReadReport report;
  for (const std::string& text_of_override : overrides) {
    apply_override(tree.value(), text_of_override, report);
  }
  read_config(tree.value(), config, report);
  if (config.run.name.empty()) {
    config.run.name = stem(name);
  }
  if (config.run.folder.empty()) {
    config.run.folder = "runs/" + config.run.name;
  }
  check_run_rules(config, report);
  const std::size_t count = report.faults.list().size();
  TRY(report.faults.to_status(StatusCode::kBadConfig, fmt::format("{} cannot be used, {} {}:", name, count,
                                                                  count == 1 ? "fault" : "faults")));
  return config;
}

Result<RunConfig> load_run_config(FileSystem& files, const std::string& path,
                                  std::span<const std::string> overrides) {
  if (files.is_directory(path)) {
    return no_input(path + " is a folder; give the run file in it");
  }
  TRY_ASSIGN(const std::string text, files.read_text(path));
  return parse_run_config(text, path, overrides);
}

std::string run_config_to_toml(const RunConfig& config) {
  return config_to_toml(config);
}

ResolvedRun resolve_run(const RunConfig& config) {
  ResolvedRun run;
  const TrainSection& train = config.train;
  run.samples = train.samples > 0 ? train.samples : train.tokens / train.sequence;
  run.batch = batch_ramp_config(config);
  const optim::StepCount count = optim::count_steps(run.batch, run.samples);
  run.steps = count.steps;
  run.consumed_samples = count.consumed_samples;
  run.ramp_steps = count.ramp_steps;
  run.max_batch = count.max_batch;
  run.tokens = run.consumed_samples * train.sequence;
  run.max_microbatches = run.max_batch / train.microbatch;
  run.learning_rate = learning_rate_config(config, run.samples);
  return run;
}

std::vector<data::Stage> data_stages(const DataSection& section) {
  std::vector<data::Stage> stages;
  for (const StageSection& from : section.stage) {
    data::Stage stage;
    stage.start_samples = from.start_samples;
    stage.seed = static_cast<std::uint32_t>(from.seed);
    stage.start =
        from.order == StageOrder::kRestart ? data::StageStart::kRestart : data::StageStart::kContinue;
    for (const SourceSection& source : from.source) {
      stage.sources.push_back({source.path, source.weight});
    }
    stages.push_back(std::move(stage));
  }
  return stages;
}

data::RunOrderOptions run_order_options(const RunConfig& config, std::int64_t vocab_size) {
  data::RunOrderOptions options;
  options.stages = data_stages(config.data);
  options.num_samples =
      resolve_run(config).samples;  // asked for, as Megatron sizes by it; a rest is not trained
  options.sequence = config.train.sequence;
  options.vocab_size = vocab_size;
  options.rounding = config.data.mixture_rounding == MixtureRounding::kArm ? data::BlendRounding::kFused
                                                                           : data::BlendRounding::kSeparate;
  options.cache_folder = config.data.cache.empty() ? config.run.folder + "/cache" : config.data.cache;
  return options;
}

Result<nn::ModelConfig> model_config_from_run(const RunConfig& config, std::int64_t tokenizer_vocab_size) {
  CHECK(nn::model_type_from_name(config.model.type).has_value(), "model_config_from_run needs model.type");
  const nn::ModelConfig model = new_model_config(config, tokenizer_vocab_size);
  if (model.vocab_size <= 0) {
    return bad_config("model.vocab_size is 0 and there is no tokenizer to take it from");
  }
  TRY(nn::check_model_config(model, "model.").to_status(StatusCode::kBadConfig, "the model cannot be made:"));
  return model;
}

nn::SavePolicy save_policy(Recompute recompute) {
  switch (recompute) {
    case Recompute::kNone:
      return nn::SavePolicy::kAll;
    case Recompute::kSelective:
      return nn::SavePolicy::kSelective;
    case Recompute::kFull:
    case Recompute::kBlock:
      break;
  }
  return nn::SavePolicy::kFull;
}

planner::TrainingPlanInputs training_plan_inputs(const RunConfig& config, const nn::ModelConfig& model,
                                                 int num_threads) {
  planner::TrainingPlanInputs inputs;
  inputs.model = model;
  inputs.shape = {
      .batch = config.train.microbatch,
      .sequence = config.train.sequence,
      .num_threads = num_threads,
      .save_policy = save_policy(config.train.recompute),
      .device = config.run.device == RunDevice::kCuda ? DeviceKind::kCuda : DeviceKind::kCpu,
      .compute = config.precision.compute == ComputeDtype::kBfloat16 ? DType::kBFloat16 : DType::kFloat32,
      .deterministic = config.run.deterministic,
      .fp8 = config.precision.fp8 == Fp8::kCurrent};
  inputs.max_microbatches = resolve_run(config).max_microbatches;
  if (config.optimizer.type == OptimizerType::kAdamw) {
    inputs.optimizer = adamw_config(config.optimizer);
  } else {
    inputs.optimizer = ademamix_config(config.optimizer);
  }
  inputs.state_place =
      config.optimizer.state == OptimizerState::kHost ? optim::StatePlace::kHost : optim::StatePlace::kDevice;
  inputs.clip = config.optimizer.clip;
  return inputs;
}

int num_worker_threads(const RunConfig& config) {
  return config.run.threads > 0 ? static_cast<int>(config.run.threads) : num_usable_cpus();
}

optim::AdamWConfig adamw_config(const OptimizerSection& section) {
  return {.beta1 = section.beta1,
          .beta2 = section.beta2,
          .epsilon = section.eps,
          .weight_decay = section.weight_decay};
}

optim::AdemamixConfig ademamix_config(const OptimizerSection& section) {
  return {.beta1 = section.beta1,
          .beta2 = section.beta2,
          .beta3 = section.beta3,
          .alpha = section.alpha,
          .alpha_warmup_steps = section.alpha_warmup_steps,
          .beta3_warmup_steps = section.beta3_warmup_steps,
          .epsilon = section.eps,
          .weight_decay = section.weight_decay};
}

}  // namespace cairn::train
