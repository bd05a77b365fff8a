// Whole training steps on a CPU: a Llama-type model with GPT-2 124M's width, layers, heads and vocabulary (padded to
// 50,304 as llm.c pads it), an un-gated 4d MLP and a tied head, random tokens, AdamW. Per token and layer the matrix
// products are those of GPT-2: 4 d^2 of attention projections, 8 d^2 of MLP, full heads, and V d of the head, so the
// operation counts are equal; RMSNorm, RoPE, query/key norms and xIELU stand where GPT-2 has LayerNorm, learned
// positions, biases and GELU. Prints tokens/s, share of the measured FMA peak and where the time goes.
//   step_bench --batch 4 --sequence 64 --threads 2 --steps 8
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/random.h"
#include "device/cpu_facts.h"
#include "device/memory.h"
#include "nn/model.h"
#include "optim/adamw.h"
#include "optim/clip.h"
#include "parallel/executor.h"
#include "parallel/step_batch.h"
#include "planner/flops.h"

namespace cairn {
namespace {

struct Arguments {
  std::int64_t batch = 4;
  std::int64_t sequence = 64;
  int threads = 2;
  int steps = 8;
};

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

nn::ModelConfig gpt2_sized() {
  nn::ModelConfig config;
  config.type = nn::ModelType::kApertus;
  config.vocab_size = 50304;  // 50,257 padded to a multiple of 128, as the compared trainer does
  config.hidden_size = 768;
  config.intermediate_size = 3072;
  config.num_hidden_layers = 12;
  config.num_attention_heads = 12;
  config.num_key_value_heads = 12;
  config.head_dim = 64;
  config.max_position_embeddings = 1024;
  config.initializer_range = 0.02;
  config.tie_word_embeddings = true;
  return config;
}

void fill_random(parallel::StepBatch& step_batch, const nn::ModelConfig& config, std::uint64_t step) {
  const data::MutableBatch& batch = step_batch.microbatch(0);
  const auto tokens = batch.tokens_BT.span<std::int32_t>();
  const auto targets = batch.targets_BT.span<std::int32_t>();
  const auto sequence = static_cast<std::size_t>(batch.tokens_BT.dim(1));
  const auto vocabulary = static_cast<std::uint64_t>(config.vocab_size);
  RandomStream random(random_key(1, "step_bench tokens"), step);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<std::int32_t>(random.next_below(vocabulary));
    targets[i] = static_cast<std::int32_t>(random.next_below(vocabulary));
    batch.loss_mask_BT.span<float>()[i] = 1.0F;
    batch.positions_BT.span<std::int32_t>()[i] = static_cast<std::int32_t>(i % sequence);
    batch.first_key_BT.span<std::int32_t>()[i] = 0;
  }
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Times {
  std::vector<double> step, forward, backward, clip, optimizer;
};

int run(const Arguments& arguments) {
  const nn::ModelConfig config = gpt2_sized();
  Plan plan;
  nn::Model model = nn::Model::declare_training(
      config, {arguments.batch, arguments.sequence, arguments.threads, nn::SavePolicy::kAll}, plan);
  std::vector<optim::OptimParameter> parameters;
  for (const nn::Parameter& p : model.parameters()) {
    parameters.push_back({p.name, p.shape, p.weight, p.gradient});
  }
  optim::AdamW optimizer({}, parameters, plan);
  optim::GradientClip clip(1.0, parameters, plan);
  parallel::Executor executor = parallel::Executor::declare(model.parameters(), 1, plan);
  parallel::StepBatch batch = parallel::StepBatch::declare(1, arguments.batch, arguments.sequence, plan);
  plan.seal(1);
  const Result<Memory> memory = Memory::create(plan);
  if (!memory.ok()) {
    fmt::print(stderr, "{}\n", memory.status().message());
    return memory.status().exit_code();
  }
  ThreadPool pool(arguments.threads);
  const double peak = measure_fma_peak_flops(pool);
  model.bind(*memory, pool);
  optimizer.bind(*memory, pool);
  clip.bind(*memory, pool);
  executor.bind(*memory, pool, model, now_s);
  batch.bind(*memory);
  nn::initialize_weights(model.parameters(), *memory, config, 1, pool);
  const std::vector<parallel::WorkItem> schedule = parallel::accumulation_schedule(1);

  Times times;
  for (int step = 0; step <= arguments.steps; ++step) {
    fill_random(batch, config, static_cast<std::uint64_t>(step));
    const double start = now_s();
    const std::int64_t tokens = batch.fold_reduction(parallel::LossReduction::kMicrobatch, 1);
    const parallel::PhaseTimes phases = executor.run(schedule, batch.microbatches());
    const double before_clip = now_s();
    const optim::ClipResult clipped = clip.measure();
    const double before_update = now_s();
    optimizer.step(step + 1, 1e-4, clipped.clip_scale);
    const double end = now_s();
    fmt::print("step {:2}  loss {:.6f}  grad norm {:.4f}  {:8.1f} ms  {:7.1f} tokens/s\n", step,
               batch.loss_sum(1) / static_cast<double>(tokens), clipped.norm, (end - start) * 1e3,
               static_cast<double>(tokens) / (end - start));
    if (step > 0) {  // the first step warms caches and pages
      times.step.push_back(end - start);
      times.forward.push_back(phases.forward_s);
      times.backward.push_back(phases.backward_s);
      times.clip.push_back(before_update - before_clip);
      times.optimizer.push_back(end - before_update);
    }
  }
  const double step_s = median(times.step);
  const auto tokens = static_cast<double>(arguments.batch * arguments.sequence);
  const double flops =
      planner::training_flops(config, arguments.sequence) * static_cast<double>(arguments.batch);
  fmt::print("\nbatch {} x {} tokens, {} threads, {} parameters\n", arguments.batch, arguments.sequence,
             arguments.threads, nn::num_parameters(config));
  fmt::print(
      "median step {:.1f} ms (min {:.1f}, max {:.1f}); {:.1f} tokens/s; {:.1f} GFLOP/s = {:.1f}% of {:.1f}\n",
      step_s * 1e3, *std::ranges::min_element(times.step) * 1e3, *std::ranges::max_element(times.step) * 1e3,
      tokens / step_s, flops / step_s * 1e-9, flops / step_s / peak * 100, peak * 1e-9);
  const auto share = [&](const char* name, const std::vector<double>& values) {
    fmt::print("  {:<28} {:8.1f} ms  {:5.1f}%\n", name, median(values) * 1e3, median(values) / step_s * 100);
  };
  share("forward, head's gradient", times.forward);
  share("backward", times.backward);
  share("gradient norm", times.clip);
  share("optimizer", times.optimizer);
  return 0;
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  cairn::Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    const int value = std::atoi(argv[i + 1]);
    if (key == "--batch") {
      arguments.batch = value;
    } else if (key == "--sequence") {
      arguments.sequence = value;
    } else if (key == "--threads") {
      arguments.threads = value;
    } else if (key == "--steps") {
      arguments.steps = value;
    } else {
      fmt::print(stderr, "unknown argument {}; known: --batch --sequence --threads --steps\n", key);
      return 64;
    }
  }
  return cairn::run(arguments);
}
