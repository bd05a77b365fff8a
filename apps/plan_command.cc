// `cairn plan RUN.toml`: what a run needs and how long it is, without starting it.
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "commands.h"
#include "device/host_memory.h"
#include "nn/model_config.h"
#include "planner/flops.h"
#include "planner/process_memory.h"
#include "planner/training_plan.h"
#include "train/run_config.h"
#include "train/run_inputs.h"
#include "train/run_memory.h"

namespace cairn::apps {
namespace {

struct PlanOptions {
  std::string run_file;
  std::vector<std::string> overrides;
  double tokens_per_s = 0.0;
};

struct ParameterCounts {
  std::int64_t total = 0;
  std::int64_t embedding = 0;  // 0 rows counted twice: a tied head is the embedding
  std::int64_t head = 0;       // 0 when tied
  std::int64_t per_layer = 0;
  std::int64_t final_norm = 0;
};

// Everything that is printed.
struct RunPlan {
  train::RunConfig config;
  train::ResolvedRun run;
  nn::ModelConfig model;
  ParameterCounts parameters;
  std::unique_ptr<planner::TrainingPlan> memory;
  train::RunMemory process;
  std::int64_t available_bytes = kMemoryUnknown;
  int num_threads = 1;
  double step_flops = 0;           // of the largest step
  double step_flops_megatron = 0;  // of the largest step
  double run_flops = 0;
};

// What `cairn train` reads, with its checks. Recipes are planned before the tokenizer exists: sizes in the run file
// are enough then.
Result<nn::ModelConfig> read_model_config(FileSystem& files, const train::RunConfig& config) {
  const bool has_sizes = config.model.from.empty() && config.model.vocab_size > 0;
  if (has_sizes && (config.tokenizer.file.empty() || !files.exists(config.tokenizer.file))) {
    return train::model_config_from_run(config, config.model.vocab_size);
  }
  TRY_ASSIGN(const train::RunInputs inputs, train::read_run_inputs(files, config));
  return inputs.model;
}

ParameterCounts count_parameters(const nn::ModelConfig& model) {
  ParameterCounts counts;
  counts.total = nn::num_parameters(model);
  counts.embedding = model.vocab_size * model.hidden_size;
  counts.head = model.tie_word_embeddings ? 0 : counts.embedding;
  counts.final_norm = model.hidden_size;
  counts.per_layer =
      (counts.total - counts.embedding - counts.head - counts.final_norm) / model.num_hidden_layers;
  return counts;
}

Result<RunPlan> make_run_plan(const PlanOptions& options, FileSystem& files) {
  RunPlan plan;
  TRY_ASSIGN(plan.config, train::load_run_config(files, options.run_file, options.overrides));
  TRY_ASSIGN(plan.model, read_model_config(files, plan.config));
  plan.run = train::resolve_run(plan.config);
  plan.num_threads = train::num_worker_threads(plan.config);
  plan.parameters = count_parameters(plan.model);
  const planner::TrainingPlanInputs inputs =
      train::training_plan_inputs(plan.config, plan.model, plan.num_threads);
  TRY(planner::check_countable(inputs));
  plan.memory = planner::make_training_plan(inputs);
  TRY_ASSIGN(plan.process, train::estimate_run_memory(files, plan.config, plan.memory->plan.total_bytes(),
                                                      plan.num_threads));
  plan.available_bytes = available_memory_bytes(files);
  const std::int64_t sequence = plan.config.train.sequence;
  const auto batch = static_cast<double>(plan.run.max_batch);
  plan.step_flops = batch * planner::training_flops(plan.model, sequence);
  plan.step_flops_megatron = batch * planner::training_flops_megatron(plan.model, sequence);
  plan.run_flops =
      static_cast<double>(plan.run.consumed_samples) * planner::training_flops(plan.model, sequence);
  return plan;
}

std::string row(std::string_view name, std::string_view value) {
  return fmt::format("  {:<20} {}\n", name, value);
}

std::string memory_row(std::string_view name, std::int64_t bytes, std::string_view note = "") {
  return fmt::format("  {:<20} {:>12}  {:>22}{}\n", name, format_bytes(bytes), format_count(bytes), note);
}

std::string model_text(const RunPlan& plan) {
  const ParameterCounts& counts = plan.parameters;
  std::string text = fmt::format("model {}\n", nn::model_type_name(plan.model.type));
  text += row("parameters", format_count(counts.total));
  text += row("embedding", format_count(counts.embedding));
  text += row("output head", counts.head == 0 ? "the embedding" : format_count(counts.head));
  text +=
      row("per layer", fmt::format("{} x {}", format_count(counts.per_layer), plan.model.num_hidden_layers));
  text += row("final norm", format_count(counts.final_norm));
  return text;
}

std::string length_text(const RunPlan& plan) {
  const train::TrainSection& train = plan.config.train;
  const train::ResolvedRun& run = plan.run;
  std::string text = "length\n";
  text += row("steps", format_count(run.steps));
  text += row("samples", fmt::format("{} of {} tokens", format_count(run.consumed_samples), train.sequence));
  if (run.consumed_samples < run.samples) {
    text += row("not trained", fmt::format("{} samples, less than a batch",
                                           format_count(run.samples - run.consumed_samples)));
  }
  text += row("tokens", fmt::format("{} ({})", format_count(run.tokens),
                                    format_short_count(static_cast<double>(run.tokens))));
  text += row("batch", fmt::format("{} samples = {} microbatches of {}", format_count(run.max_batch),
                                   format_count(run.max_microbatches), train.microbatch));
  if (run.ramp_steps > 0) {
    text += row("ramp", fmt::format("from {} samples, {} steps", format_count(train.ramp.start_batch),
                                    format_count(run.ramp_steps)));
  }
  return text;
}

std::string compute_text(const RunPlan& plan, double tokens_per_s) {
  std::string text = "floating-point operations\n";
  text += row("per step", fmt::format("{:.4g} (causal attention half, output head in, input embedding out)",
                                      plan.step_flops));
  text += row("Megatron's count", fmt::format("{:.4g} per step", plan.step_flops_megatron));
  text += row("whole run", fmt::format("{:.4g}", plan.run_flops));
  if (tokens_per_s > 0) {
    const double seconds = static_cast<double>(plan.run.tokens) / tokens_per_s;
    text += row("expected time", fmt::format("{} at {:g} tokens/s, {:.4g} FLOP/s", format_duration(seconds),
                                             tokens_per_s, plan.run_flops / seconds));
  }
  return text;
}

std::string memory_text(const RunPlan& plan) {
  std::string text = "memory in bytes, arenas exact\n";
  for (int i = 0; i < kNumLifetimes; ++i) {
    const auto lifetime = static_cast<Lifetime>(i);
    text += memory_row(lifetime_name(lifetime), plan.memory->plan.region_bytes(lifetime));
  }
  const planner::ProcessMemory& process = plan.process.process;
  text += memory_row("arenas", process.arena_bytes);
  text += memory_row("data order", process.data_bytes,
                     plan.process.missing_shards.empty() ? "" : "  without shards that were not found");
  text += memory_row("program", process.base_bytes, "  estimated");
  text += memory_row("threads", process.thread_bytes, fmt::format("  estimated, {}", plan.num_threads));
  text += memory_row("process", process.total());
  if (plan.available_bytes != kMemoryUnknown) {
    const bool fits = planner::check_memory_fits(process, plan.available_bytes).ok();
    text += memory_row("available here", plan.available_bytes, fits ? "  fits" : "  does not fit");
  }
  for (const std::string& prefix : plan.process.missing_shards) {
    text += row("shard not found", prefix);
  }
  return text;
}

std::string as_text(const RunPlan& plan, const PlanOptions& options) {
  return fmt::format("run {}, in {}\n", plan.config.run.name, plan.config.run.folder) + model_text(plan) +
         length_text(plan) + compute_text(plan, options.tokens_per_s) + memory_text(plan);
}

// Whether it fits here; null where the system does not tell.
std::string memory_verdict_json(const RunPlan& plan) {
  const bool is_known = plan.available_bytes != kMemoryUnknown;
  const bool fits = planner::check_memory_fits(plan.process.process, plan.available_bytes).ok();
  std::string shards;
  for (const std::string& prefix : plan.process.missing_shards) {
    shards += shards.empty() ? "" : ", ";
    append_json_string(shards, prefix);
  }
  return fmt::format("  \"available_bytes\": {}, \"fits\": {},\n  \"missing_shards\": [{}]\n}}\n",
                     is_known ? fmt::format("{}", plan.available_bytes) : "null",
                     is_known ? (fits ? "true" : "false") : "null", shards);
}

std::string as_json(const RunPlan& plan, const PlanOptions& options) {
  const ParameterCounts& counts = plan.parameters;
  std::string name;
  append_json_string(name, plan.config.run.name);
  std::string text = fmt::format("{{\n  \"run\": {},\n  \"model_type\": \"{}\",\n", name,
                                 nn::model_type_name(plan.model.type));
  text += fmt::format(
      "  \"parameters\": {{\"total\": {}, \"embedding\": {}, \"output_head\": {}, \"per_layer\": {}, "
      "\"layers\": "
      "{}, \"final_norm\": {}}},\n",
      counts.total, counts.embedding, counts.head, counts.per_layer, plan.model.num_hidden_layers,
      counts.final_norm);
  text += fmt::format(
      "  \"steps\": {}, \"samples\": {}, \"tokens\": {}, \"ramp_steps\": {},\n  \"max_batch\": {}, "
      "\"microbatch\": {}, \"max_microbatches\": {},\n",
      plan.run.steps, plan.run.consumed_samples, plan.run.tokens, plan.run.ramp_steps, plan.run.max_batch,
      plan.config.train.microbatch, plan.run.max_microbatches);
  text += fmt::format(
      "  \"flops_per_step\": {:.17g}, \"flops_per_step_megatron\": {:.17g}, \"flops\": {:.17g},\n",
      plan.step_flops, plan.step_flops_megatron, plan.run_flops);
  if (options.tokens_per_s > 0) {
    text += fmt::format("  \"expected_s\": {:.17g},\n",
                        static_cast<double>(plan.run.tokens) / options.tokens_per_s);
  }
  text += "  \"memory_bytes\": {";
  for (int i = 0; i < kNumLifetimes; ++i) {
    const auto lifetime = static_cast<Lifetime>(i);
    text += fmt::format("\"{}\": {}, ", lifetime_name(lifetime), plan.memory->plan.region_bytes(lifetime));
  }
  const planner::ProcessMemory& process = plan.process.process;
  text += fmt::format(
      "\"arenas\": {}, \"data_order\": {}, \"program\": {}, \"threads\": {}, \"process\": {}}},\n",
      process.arena_bytes, process.data_bytes, process.base_bytes, process.thread_bytes, process.total());
  text += memory_verdict_json(plan);
  return text;
}

Status print_plan(const PlanOptions& options, CommandContext& context) {
  TRY_ASSIGN(const RunPlan plan, make_run_plan(options, context.files));
  context.out << (context.json ? as_json(plan, options) : as_text(plan, options));
  return ok_status();
}

}  // namespace

void add_plan_command(CLI::App& app, CommandContext& context) {
  const auto options = std::make_shared<PlanOptions>();
  CLI::App* command = app.add_subcommand(
      "plan", "Parameters, memory, steps, tokens and operations of a run, without starting it");
  command->add_option("run", options->run_file, "The run file")->required()->type_name("RUN.toml");
  add_set_option(*command, options->overrides);
  command
      ->add_option("--tokens-per-s", options->tokens_per_s, "Expected throughput; prints the expected time")
      ->check(CLI::PositiveNumber);
  command->callback([options, &context] {
    context.set_action([options, &context] { return print_plan(*options, context); });
  });
}

}  // namespace cairn::apps
