// `cairn plan RUN.toml`: what a run needs and how long it is, without starting it.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "commands.h"
#include "data/stage_forecast.h"
#include "device/cuda_device.h"
#include "device/host_memory.h"
#include "nn/model_config.h"
#include "planner/device_memory.h"
#include "planner/flops.h"
#include "planner/process_memory.h"
#include "planner/training_plan.h"
#include "train/run_config.h"
#include "train/run_inputs.h"
#include "train/run_memory.h"
#include "train/run_schedule.h"

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
  // Of a run on a GPU, and what the GPU of this machine has left when it is open.
  std::optional<planner::DeviceMemory> device;
  std::int64_t device_free_bytes = kMemoryUnknown;
  std::vector<planner::MemoryKnob> knobs;
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
  TRY(planner::check_fp8_sizes(inputs));
  plan.memory = planner::make_training_plan(inputs);
  std::int64_t host_bytes = plan.memory->plan.total_bytes();
  if (inputs.shape.device == DeviceKind::kCuda) {
    host_bytes = planner::host_arena_bytes(plan.memory->plan);
    plan.device = planner::estimate_device_memory(plan.memory->plan);
    plan.knobs = planner::memory_knobs(inputs);
    // A login node has none.
    if (const auto device = CudaDevice::open(0); device.ok()) {
      plan.device_free_bytes = (*device)->free_bytes();
    }
  }
  TRY_ASSIGN(plan.process, train::estimate_run_memory(files, plan.config, host_bytes, plan.num_threads));
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

// To a line: what happens when.
std::string events_text(const RunPlan& plan) {
  constexpr std::size_t kShown = 40;
  const std::vector<train::RunEvent> events = train::run_events(plan.config);
  const train::RunSchedule schedule(plan.run);
  std::string text = fmt::format("schedule\n  {:>13} {:>16} {:>9}\n", "step", "sample", "tokens");
  for (std::size_t i = 0; i < std::min(events.size(), kShown); ++i) {
    const train::RunEvent& event = events[i];
    const bool is_inside = schedule.samples_of(event.step).first != event.sample;
    const auto tokens = static_cast<double>(event.sample * plan.config.train.sequence);
    text += fmt::format("  {:>13} {:>16} {:>9}  {}{}\n", format_count(event.step), format_count(event.sample),
                        format_short_count(tokens), event.text, is_inside ? " (within the step)" : "");
  }
  if (events.size() > kShown) {
    text += fmt::format("  and {} more\n", events.size() - kShown);
  }
  return text;
}

std::vector<data::StageForecast> forecast(const RunPlan& plan) {
  const std::int64_t sequence = plan.config.train.sequence;
  return data::forecast_stages(
      data::plan_stages(train::data_stages(plan.config.data), plan.run.samples),
      [&](const std::string& prefix) -> std::int64_t {
        const auto shard = plan.process.shards.find(prefix);
        return shard == plan.process.shards.end() ? 0 : (shard->second.num_tokens - 1) / sequence;
      });
}

// How often a source is read, from the start of the stage to its end.
std::string epochs_text(const data::SourceForecast& source) {
  if (source.epochs_after < 0) {
    return "";
  }
  const std::string epochs =
      fmt::format("epochs {:.3f} to {:.3f}", source.epochs_before, source.epochs_after);
  return source.epochs_after > 1 ? fmt::format("{}: repeats", epochs) : epochs;
}

std::string data_text(const RunPlan& plan) {
  std::string text = "data\n";
  const auto sequence = static_cast<double>(plan.config.train.sequence);
  const std::vector<data::StageForecast> stages = forecast(plan);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    text += fmt::format("  stage {}: {} samples, {} tokens\n", i, format_count(stages[i].num_samples),
                        format_short_count(static_cast<double>(stages[i].num_samples) * sequence));
    for (const data::SourceForecast& source : stages[i].sources) {
      text += source.share < 0 ? fmt::format("    {:>8} {:>9}  {}\n", "by size", "", source.prefix)
                               : fmt::format("    {:>6.2f} % {:>9}  {}  {}\n", source.share * 100,
                                             format_short_count(source.num_samples * sequence), source.prefix,
                                             epochs_text(source));
    }
    if (stages[i].missing_samples > 0) {
      text += fmt::format("    its sources are {:.0f} samples too small: shorten it, or give them weights\n",
                          stages[i].missing_samples);
    }
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

// Whether the arena of this lifetime lies in a GPU's memory.
bool is_on_device(const RunPlan& plan, Lifetime lifetime) {
  return plan.device && !plan.memory->plan.is_on_host(lifetime);
}

std::string arena_rows(const RunPlan& plan, bool on_device) {
  std::string text;
  for (int i = 0; i < kNumLifetimes; ++i) {
    const auto lifetime = static_cast<Lifetime>(i);
    if (is_on_device(plan, lifetime) == on_device) {
      text += memory_row(lifetime_name(lifetime), plan.memory->plan.region_bytes(lifetime));
    }
  }
  return text;
}

std::string device_memory_text(const RunPlan& plan) {
  if (!plan.device) {
    return "";
  }
  const planner::DeviceMemory& device = *plan.device;
  std::string text = "GPU memory in bytes, arenas exact\n" + arena_rows(plan, true);
  text += memory_row("arenas", device.arena_bytes);
  text += memory_row("CUDA", device.context_bytes + device.later_bytes, "  estimated");
  text += memory_row("GPU", device.total());
  if (plan.device_free_bytes != kMemoryUnknown) {
    const bool fits = device.wanted_when_open() <= plan.device_free_bytes;
    text += memory_row("free here", plan.device_free_bytes + device.context_bytes,
                       fits ? "  fits" : "  does not fit");
  }
  for (const planner::MemoryKnob& knob : plan.knobs) {
    text += fmt::format("    {:>12} with {}\n", format_bytes(knob.device.total()), knob.change);
  }
  return text;
}

std::string memory_text(const RunPlan& plan) {
  std::string text = plan.device ? "host memory in bytes, mirrors of weights and moments in it\n"
                                 : "memory in bytes, arenas exact\n";
  text += arena_rows(plan, false);
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
         length_text(plan) + events_text(plan) + data_text(plan) + compute_text(plan, options.tokens_per_s) +
         device_memory_text(plan) + memory_text(plan);
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

std::string data_json(const RunPlan& plan) {
  std::string events;
  for (const train::RunEvent& event : train::run_events(plan.config)) {
    std::string what;
    append_json_string(what, event.text);
    events += fmt::format("{}\n    {{\"step\": {}, \"sample\": {}, \"event\": {}}}",
                          events.empty() ? "" : ",", event.step, event.sample, what);
  }
  std::string stages;
  for (const data::StageForecast& stage : forecast(plan)) {
    std::string sources;
    for (const data::SourceForecast& source : stage.sources) {
      std::string path;
      append_json_string(path, source.prefix);
      const auto number = [](double value) {
        return value < 0 ? std::string("null") : fmt::format("{:.17g}", value);
      };
      sources += fmt::format(
          "{}{{\"source\": {}, \"share\": {}, \"samples\": {}, \"epochs_before\": {}, \"epochs_after\": {}}}",
          sources.empty() ? "" : ", ", path, number(source.share), number(source.num_samples),
          number(source.epochs_before), number(source.epochs_after));
    }
    stages += fmt::format("{}\n    {{\"start_samples\": {}, \"samples\": {}, \"sources\": [{}]}}",
                          stages.empty() ? "" : ",", stage.start_samples, stage.num_samples, sources);
  }
  return fmt::format("  \"events\": [{}],\n  \"stages\": [{}],\n", events, stages);
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
  text += data_json(plan);
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
  if (plan.device) {
    text += fmt::format(
        "  \"gpu_memory_bytes\": {{\"arenas\": {}, \"context\": {}, \"later\": {}, \"total\": {}}},\n",
        plan.device->arena_bytes, plan.device->context_bytes, plan.device->later_bytes, plan.device->total());
  }
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
