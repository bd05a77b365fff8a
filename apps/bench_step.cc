// `cairn bench step`: whole training steps on random tokens, on a CPU or a GPU, on the plan that `cairn train` runs on.
// The default model, gpt2, has GPT-2 124M's width, layers, heads and vocabulary (padded to 50,304 as llm.c pads it), an un-gated
// 4d MLP and a tied head. Per token and layer its matrix products are those of GPT-2: 4 d^2 of attention projections,
// 8 d^2 of MLP, full heads, and V d of the head, so that the operation counts are equal; RMSNorm, RoPE, query/key norms and
// xIELU stand where GPT-2 has LayerNorm, learned positions, biases and GELU. gpt2-xl is the same of GPT-2 1558M.
#include <chrono>
#include <map>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/random.h"
#include "base/text.h"
#include "bench_account.h"
#include "bench_support.h"
#include "device/cpu_facts.h"
#include "planner/device_memory.h"
#include "planner/flops.h"
#include "planner/training_plan.h"
#include "train/product_choices.h"

namespace cairn::apps {
namespace {

struct StepOptions {
  BenchOptions bench;
  std::string model = "gpt2";
  std::int64_t batch = 4;
  std::int64_t sequence = 64;
  std::int64_t microbatches = 1;
  int steps = 8;
  std::string recompute = "none";
  std::string optimizer = "adamw";
  std::string state = "device";
  std::int64_t document = 0;
  std::string choices;
  bool fp8 = false;
  bool account = false;
};

double host_now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

planner::TrainingPlanInputs plan_inputs(const StepOptions& options, const nn::ModelConfig& model) {
  static const std::map<std::string, nn::SavePolicy> kPolicies = {{"none", nn::SavePolicy::kAll},
                                                                  {"selective", nn::SavePolicy::kSelective},
                                                                  {"full", nn::SavePolicy::kFull}};
  planner::TrainingPlanInputs inputs;
  inputs.model = model;
  inputs.shape = {.batch = options.batch,
                  .sequence = options.sequence,
                  .num_threads = options.bench.threads,
                  .save_policy = kPolicies.at(options.recompute),
                  .device = options.bench.is_on_gpu() ? DeviceKind::kCuda : DeviceKind::kCpu,
                  .compute = options.bench.compute(),
                  .deterministic = options.bench.deterministic,
                  .fp8 = options.fp8};
  inputs.max_microbatches = options.microbatches;
  if (options.optimizer == "adamw") {
    inputs.optimizer = optim::AdamWConfig{};
  } else {
    inputs.optimizer = optim::AdemamixConfig{};
  }
  inputs.state_place = options.state == "host" ? optim::StatePlace::kHost : optim::StatePlace::kDevice;
  inputs.clip = 1.0;
  return inputs;
}

struct Times {
  std::vector<double> step, forward, backward, clip, optimizer;
};

class StepBench {
 public:
  static Result<std::unique_ptr<StepBench>> open(const StepOptions& options, CommandContext& context);
  Status run();

 private:
  StepBench(const StepOptions& options, nn::ModelConfig model, CommandContext& context)
      : options_(options), model_(std::move(model)), context_(context), pool_(options.bench.threads) {}
  Status open_memory();
  Status fill_weights();
  Status choose_products(const std::vector<parallel::WorkItem>& schedule);
  void fill_batch(std::int64_t microbatch, std::uint64_t index);
  double now_s() const;
  void step(int index, const std::vector<parallel::WorkItem>& schedule);
  Status account(const std::vector<parallel::WorkItem>& schedule);
  void print_memory() const;
  void print_summary() const;

  const StepOptions& options_;
  nn::ModelConfig model_;
  CommandContext& context_;
  ThreadPool pool_;
  std::unique_ptr<CudaDevice> device_;
  std::int64_t free_at_open_ = 0;
  std::unique_ptr<planner::TrainingPlan> plan_;
  std::unique_ptr<Memory> memory_;
  Times times_;
};

Result<std::unique_ptr<StepBench>> StepBench::open(const StepOptions& options, CommandContext& context) {
  TRY_ASSIGN(nn::ModelConfig model, bench_model(options.model));
  std::unique_ptr<StepBench> bench(new StepBench(options, std::move(model), context));
  const planner::TrainingPlanInputs inputs = plan_inputs(options, bench->model_);
  bench->plan_ = planner::make_training_plan(inputs);
  if (options.bench.is_on_gpu()) {
    TRY_ASSIGN(bench->device_, CudaDevice::open(0));
    bench->free_at_open_ = bench->device_->free_bytes();
    TRY(planner::check_device_memory_fits(inputs, planner::estimate_device_memory(bench->plan_->plan),
                                          bench->free_at_open_));
  }
  TRY(bench->open_memory());
  TRY(bench->fill_weights());
  return bench;
}

// On a GPU time is read when its work is done.
double StepBench::now_s() const {
  if (device_) {
    const Status status = device_->synchronize();
    CHECK(status.ok(), status.message());
  }
  return host_now_s();
}

Status StepBench::open_memory() {
  Result<Memory> memory = device_ ? Memory::create_on(*device_, plan_->plan) : Memory::create(plan_->plan);
  TRY(memory.status());
  memory_ = std::make_unique<Memory>(std::move(*memory));
  plan_->bind(*memory_, pool_, [this] { return now_s(); });
  return ok_status();
}

Status StepBench::fill_weights() {
  nn::initialize_weights(plan_->model.parameters(), *memory_, model_, 1, pool_);
  plan_->model.round_weights();
  return device_ ? device_->synchronize() : ok_status();
}

void StepBench::fill_batch(std::int64_t microbatch, std::uint64_t index) {
  const data::MutableBatch& batch = plan_->batch.microbatch(microbatch);
  const auto tokens = batch.tokens_BT.span<std::int32_t>();
  const auto targets = batch.targets_BT.span<std::int32_t>();
  const auto sequence = static_cast<std::size_t>(batch.tokens_BT.dim(1));
  const auto vocabulary = static_cast<std::uint64_t>(model_.vocab_size);
  const auto document = options_.document == 0 ? sequence : static_cast<std::size_t>(options_.document);
  RandomStream random(random_key(1, "step_bench tokens"), index);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<std::int32_t>(random.next_below(vocabulary));
    targets[i] = static_cast<std::int32_t>(random.next_below(vocabulary));
    batch.loss_mask_BT.span<float>()[i] = 1.0F;
    const std::size_t position = i % sequence;
    batch.positions_BT.span<std::int32_t>()[i] = static_cast<std::int32_t>(position);
    batch.first_key_BT.span<std::int32_t>()[i] = static_cast<std::int32_t>(position - position % document);
  }
}

// As `cairn train` does: by the choices of a file, or tuned on one microbatch and kept there.
Status StepBench::choose_products(const std::vector<parallel::WorkItem>& schedule) {
  if (!device_ || options_.choices.empty()) {
    return ok_status();
  }
  for (std::int64_t i = 0; i < options_.microbatches; ++i) {
    fill_batch(i, static_cast<std::uint64_t>(i));
  }
  plan_->batch.fold_reduction(parallel::LossReduction::kMicrobatch, options_.microbatches);
  const double start = host_now_s();
  TRY(train::choose_products(context_.files, *device_, context_.log, {options_.choices, true, [&] {
                                                                        plan_->executor.run(
                                                                            std::span(schedule).first(2),
                                                                            plan_->batch.microbatches());
                                                                      }}));
  context_.out << fmt::format("matrix products chosen in {:.1f} s\n", host_now_s() - start);
  return ok_status();
}

// The first step warms caches and pages and is not counted.
void StepBench::step(int index, const std::vector<parallel::WorkItem>& schedule) {
  const std::int64_t microbatches = options_.microbatches;
  for (std::int64_t i = 0; i < microbatches; ++i) {
    fill_batch(i, static_cast<std::uint64_t>(index * microbatches + i));
  }
  const double start = now_s();
  const std::int64_t tokens = plan_->batch.fold_reduction(parallel::LossReduction::kMicrobatch, microbatches);
  const parallel::PhaseTimes phases = plan_->executor.run(schedule, plan_->batch.microbatches());
  const double before_clip = now_s();
  const optim::ClipResult clipped = plan_->clip->measure();
  const double before_update = now_s();
  plan_->update(index + 1, 1e-4, clipped.clip_scale);
  const double end = now_s();
  if (!context_.json) {
    context_.out << fmt::format("step {:2}  loss {:.9f}  grad norm {:.17g}  {:8.1f} ms  {:7.1f} tokens/s\n",
                                index, plan_->batch.loss_sum(microbatches) / static_cast<double>(tokens),
                                clipped.norm, (end - start) * 1e3,
                                static_cast<double>(tokens) / (end - start));
  }
  if (index > 0) {
    times_.step.push_back(end - start);
    times_.forward.push_back(phases.forward_s);
    times_.backward.push_back(phases.backward_s);
    times_.clip.push_back(before_update - before_clip);
    times_.optimizer.push_back(end - before_update);
  }
}

Status StepBench::account(const std::vector<parallel::WorkItem>& schedule) {
  constexpr int kSteps = 3;
  AccountedWork work{model_,
                     kSteps,
                     options_.batch * options_.microbatches,
                     options_.sequence,
                     options_.microbatches,
                     options_.optimizer == "adamw" ? 2 : 3,
                     0.0};
  TRY_ASSIGN(const std::unique_ptr<BenchBed> bed, BenchBed::open(options_.bench, std::int64_t{1} << 30));
  work.copy_bytes_per_s = bed->copy_bandwidth();
  const Times untraced = times_;
  TRY_ASSIGN(const std::unique_ptr<KernelTrace> trace, KernelTrace::start());
  for (int i = 1; i <= kSteps; ++i) {
    step(options_.steps + i, schedule);
  }
  now_s();
  print_account(trace->stop(), work, context_);
  times_ = untraced;
  return ok_status();
}

// What the plan foretold and what the driver says is gone.
void StepBench::print_memory() const {
  const planner::DeviceMemory planned = planner::estimate_device_memory(plan_->plan);
  const std::int64_t used = free_at_open_ - device_->free_bytes();
  const auto parameters = static_cast<double>(nn::num_parameters(model_));
  BenchTable table({"MiB"});
  const auto row = [&](const char* name, std::int64_t bytes) {
    table.add(name, {static_cast<double>(bytes) / (1 << 20)});
  };
  row("planned in all", planned.total());
  row("  arenas, exact", planned.arena_bytes);
  row("  CUDA at open", planned.context_bytes);
  row("  CUDA later", planned.later_bytes);
  row("taken since CUDA was open", used);
  row("  beside the arenas", used - planned.arena_bytes);
  row("of the GPU", device_->memory_bytes());
  row("  taken before the arenas", device_->memory_bytes() - free_at_open_);
  table.print(context_);
  context_.out << fmt::format("planned bytes per parameter {:.3f}; {} ({} above 18 bytes per parameter)\n",
                              static_cast<double>(planned.total()) / parameters,
                              format_bytes(planned.total()),
                              format_bytes(planned.total() - static_cast<std::int64_t>(18 * parameters)));
  context_.out << fmt::format("attention by {}, {} CUDA graphs\n", plan_->model.attention_engine(),
                              plan_->model.num_graphs());
}

void StepBench::print_summary() const {
  const double peak =
      device_ ? planner::kHopperPeakFlops : measure_fma_peak_flops(const_cast<ThreadPool&>(pool_));
  const double step_s = median(times_.step);
  const auto sequences = static_cast<double>(options_.batch * options_.microbatches);
  const double flops = planner::training_flops(model_, options_.sequence) * sequences;
  BenchTable rates({"tokens/s", "GFLOP/s", "% of peak", "ms", "least ms", "most ms"});
  rates.add(fmt::format("{}, {} x {} x {} tokens", options_.model, options_.microbatches, options_.batch,
                        options_.sequence),
            {sequences * static_cast<double>(options_.sequence) / step_s, flops / step_s * 1e-9,
             100.0 * flops / step_s / peak, step_s * 1e3, *std::ranges::min_element(times_.step) * 1e3,
             *std::ranges::max_element(times_.step) * 1e3});
  rates.print(context_);
  BenchTable phases({"ms", "% of step"});
  const auto row = [&](const char* name, const std::vector<double>& values) {
    phases.add(name, {median(values) * 1e3, 100.0 * median(values) / step_s});
  };
  row("forward, and the head's gradient", times_.forward);
  row("backward", times_.backward);
  row("gradient norm", times_.clip);
  row("optimizer", times_.optimizer);
  phases.print(context_);
}

Status StepBench::run() {
  const std::vector<parallel::WorkItem> schedule = parallel::accumulation_schedule(options_.microbatches);
  TRY(choose_products(schedule));
  for (int index = 0; index <= options_.steps; ++index) {
    step(index, schedule);
  }
  print_summary();
  if (device_) {
    print_memory();
  }
  return options_.account && device_ ? account(schedule) : ok_status();
}

Status run(const StepOptions& options, CommandContext& context) {
  TRY_ASSIGN(const std::unique_ptr<StepBench> bench, StepBench::open(options, context));
  return bench->run();
}

}  // namespace

void add_bench_step_command(CLI::App& bench, CommandContext& context) {
  const auto options = std::make_shared<StepOptions>();
  CLI::App* command = bench.add_subcommand("step", "Whole training steps on random tokens");
  add_bench_options(*command, options->bench);
  command->add_option("--model", options->model, fmt::format("Weights drawn at random: {}", kBenchModels));
  const auto count = [&](const char* name, auto& value, const char* help) {
    command->add_option(name, value, help)->check(CLI::Range(1, 1 << 24));
  };
  count("--batch", options->batch, "Sequences of a microbatch");
  count("--sequence", options->sequence, "Tokens of a sequence");
  count("--microbatches", options->microbatches, "Microbatches of a step");
  count("--steps", options->steps, "Steps to time, after one that warms up");
  command->add_option("--recompute", options->recompute, "none, selective or full")
      ->check(CLI::IsMember({"none", "selective", "full"}));
  command->add_option("--optimizer", options->optimizer, "adamw or ademamix")
      ->check(CLI::IsMember({"adamw", "ademamix"}));
  command->add_option("--state", options->state, "Where a GPU's run keeps the moments: device or host")
      ->check(CLI::IsMember({"device", "host"}));
  count("--document", options->document,
        "Tokens of a document, each hidden from the others; not given: whole sequences");
  command->add_option("--choices", options->choices,
                      "On a GPU: tuned matrix products, read from this file, or written where it is missing");
  command->add_flag("--fp8", options->fp8, "On a GPU: the linear layers of the blocks in eight bits");
  command->add_flag("--account", options->account,
                    "On a GPU: trace three more steps and print where their time went (needs CUPTI)");
  command->callback(
      [options, &context] { context.set_action([options, &context] { return run(*options, context); }); });
}

}  // namespace cairn::apps
