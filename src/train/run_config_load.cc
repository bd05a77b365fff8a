// From the text of a run file to a checked RunConfig, and what follows from one.
#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "config/config_reader.h"
#include "config/config_text.h"
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

// Whole steps within `samples`, phase by phase of the ramp: a run of days has millions of steps.
void count_steps(std::int64_t samples, ResolvedRun& run) {
  std::int64_t consumed = 0;
  const optim::BatchRampConfig& ramp = run.batch;
  while (ramp.start_batch > 0 && consumed <= ramp.ramp_samples) {
    const std::int64_t batch = optim::batch_size_at(ramp, consumed).samples;
    if (batch == ramp.global_batch || consumed + batch > samples) {
      break;
    }
    run.max_batch = std::max(run.max_batch, batch);
    consumed += batch;
    ++run.ramp_steps;
  }
  const std::int64_t batch = optim::batch_size_at(ramp, consumed).samples;
  const std::int64_t rest = (samples - consumed) / batch;
  run.steps = run.ramp_steps + rest;
  run.consumed_samples = consumed + rest * batch;
  run.max_batch = rest > 0 ? std::max(run.max_batch, batch) : run.max_batch;
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
  run.batch = {.global_batch = train.global_batch,
               .start_batch = train.ramp.start_batch,
               .increment = train.ramp.increment,
               .ramp_samples = train.ramp.samples,
               .microbatch = train.microbatch};
  count_steps(run.samples, run);
  run.tokens = run.consumed_samples * train.sequence;
  run.max_microbatches = run.max_batch / train.microbatch;
  run.learning_rate = {.type = config.schedule.type,
                       .maximum = config.schedule.learning_rate,
                       .minimum = config.schedule.min_learning_rate,
                       .initial = config.schedule.init_learning_rate,
                       .warmup_samples = config.schedule.warmup_samples,
                       .cooldown_samples = config.schedule.cooldown_samples,
                       .total_samples = run.samples};
  return run;
}

Result<nn::ModelConfig> model_config_from_run(const RunConfig& config, std::int64_t tokenizer_vocab_size) {
  const ModelSection& section = config.model;
  const std::optional<nn::ModelType> type = nn::model_type_from_name(section.type);
  CHECK(type.has_value(), "model_config_from_run needs model.type");
  nn::ModelConfig model;
  model.type = *type;
  model.vocab_size = section.vocab_size == 0 ? tokenizer_vocab_size : section.vocab_size;
  if (model.vocab_size <= 0) {
    return bad_config("model.vocab_size is 0 and there is no tokenizer to take it from");
  }
  model.hidden_size = section.hidden_size;
  model.intermediate_size = section.intermediate_size;
  model.num_hidden_layers = section.num_hidden_layers;
  model.num_attention_heads = section.num_attention_heads;
  model.num_key_value_heads =
      section.num_key_value_heads == 0 ? section.num_attention_heads : section.num_key_value_heads;
  model.head_dim =
      section.head_dim == 0 ? section.hidden_size / section.num_attention_heads : section.head_dim;
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

planner::TrainingPlanInputs training_plan_inputs(const RunConfig& config, const nn::ModelConfig& model,
                                                 int num_threads) {
  planner::TrainingPlanInputs inputs;
  inputs.model = model;
  inputs.shape = {.batch = config.train.microbatch,
                  .sequence = config.train.sequence,
                  .num_threads = num_threads,
                  .save_policy = config.train.recompute == Recompute::kBlock ? nn::SavePolicy::kRecomputeBlock
                                                                             : nn::SavePolicy::kAll};
  inputs.max_microbatches = resolve_run(config).max_microbatches;
  if (config.optimizer.type == OptimizerType::kAdamw) {
    inputs.optimizer = adamw_config(config.optimizer);
  } else {
    inputs.optimizer = ademamix_config(config.optimizer);
  }
  inputs.clip = config.optimizer.clip;
  return inputs;
}

int num_worker_threads(const RunConfig& config) {
  if (config.run.threads > 0) {
    return static_cast<int>(config.run.threads);
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
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
