#include "planner/training_plan.h"

#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn::planner {
namespace {

std::vector<optim::OptimParameter> optim_parameters(const nn::Model& model) {
  std::vector<optim::OptimParameter> parameters;
  for (const nn::Parameter& parameter : model.parameters()) {
    parameters.push_back(
        {parameter.name, parameter.shape, parameter.weight, parameter.gradient, parameter.compute});
  }
  return parameters;
}

std::unique_ptr<optim::Optimizer> declare_optimizer(const TrainingPlanInputs& inputs,
                                                    std::span<const optim::OptimParameter> parameters,
                                                    Plan& plan) {
  if (const auto* adamw = std::get_if<optim::AdamWConfig>(&inputs.optimizer)) {
    return std::make_unique<optim::AdamW>(*adamw, parameters, plan, inputs.state_place);
  }
  return std::make_unique<optim::Ademamix>(std::get<optim::AdemamixConfig>(inputs.optimizer), parameters,
                                           plan, inputs.state_place);
}

}  // namespace

Status check_countable(const TrainingPlanInputs& inputs) {
  // In floating point, from above: no block keeps more than kCopies tensors of each of its widths.
  constexpr double kCopies = 32.0;
  constexpr double kBytesMax = 0x1p61;
  const nn::ModelConfig& model = inputs.model;
  const auto tokens = static_cast<double>(inputs.shape.batch) * static_cast<double>(inputs.shape.sequence);
  const auto heads_width =
      static_cast<double>(model.num_attention_heads) * static_cast<double>(model.head_dim);
  const double block = kCopies * (static_cast<double>(model.hidden_size) +
                                  static_cast<double>(model.intermediate_size) + heads_width);
  const double per_token = static_cast<double>(model.num_hidden_layers + 2) * block +
                           kCopies * static_cast<double>(model.vocab_size) +
                           kCopies * static_cast<double>(inputs.max_microbatches);
  const double parameters = 2.0 * kCopies * static_cast<double>(nn::num_parameters(model));
  if (sizeof(float) * (tokens * per_token + parameters) < kBytesMax) {
    return ok_status();
  }
  return bad_config(
      fmt::format("train.microbatch = {} samples of train.sequence = {} tokens through {} layers are more "
                  "bytes than can be "
                  "counted\n      fix: lower train.microbatch or train.sequence, or choose a smaller model",
                  inputs.shape.batch, inputs.shape.sequence, model.num_hidden_layers));
}

Status check_fp8_sizes(const TrainingPlanInputs& inputs) {
  constexpr std::int64_t kGranule = 16;
  const nn::ModelConfig& model = inputs.model;
  const std::pair<const char*, std::int64_t> sizes[] = {
      {"train.microbatch * train.sequence", inputs.shape.batch * inputs.shape.sequence},
      {"hidden_size", model.hidden_size},
      {"intermediate_size", model.intermediate_size},
      {"num_attention_heads * head_dim", model.num_attention_heads * model.head_dim},
      {"num_key_value_heads * head_dim", model.num_key_value_heads * model.head_dim}};
  std::string odd;
  for (const auto& [name, size] : sizes) {
    if (inputs.shape.fp8 && size % kGranule != 0) {
      odd += fmt::format("{}{} = {}", odd.empty() ? "" : ", ", name, size);
    }
  }
  return odd.empty()
             ? ok_status()
             : bad_config(fmt::format("precision.fp8 = \"current\" needs multiples of 16: {}\n      fix: "
                                      "choose other sizes, or precision.fp8 = \"none\"",
                                      odd));
}

std::unique_ptr<TrainingPlan> make_training_plan(const TrainingPlanInputs& inputs) {
  auto result = std::make_unique<TrainingPlan>();
  Plan& plan = result->plan;
  {
    const ScratchScope scope(plan);
    result->model = nn::Model::declare_training(inputs.model, inputs.shape, plan);
  }
  const std::int64_t tree_leaves = inputs.shape.device == DeviceKind::kCuda ? 1 : inputs.max_microbatches;
  result->executor = parallel::Executor::declare(result->model.parameters(), tree_leaves, plan);
  const std::vector<optim::OptimParameter> parameters = optim_parameters(result->model);
  {
    // Gradients are clipped and applied when the model's scratch is dead.
    const ScratchScope scope(plan);
    result->optimizer = declare_optimizer(inputs, parameters, plan);
    result->clip = std::make_unique<optim::GradientClip>(inputs.clip, parameters, plan, inputs.shape.device);
  }
  result->batch =
      parallel::StepBatch::declare(inputs.max_microbatches, inputs.shape.batch, inputs.shape.sequence, plan);
  result->evaluation = parallel::declare_evaluation(inputs.shape.batch, inputs.shape.sequence, plan);
  plan.seal(1);
  return result;
}

void TrainingPlan::update(std::int64_t t, double learning_rate, double clip_scale) {
  optimizer->step(t, learning_rate, clip_scale);
  model.round_weights_to_fp8();
}

void TrainingPlan::bind(const Memory& memory, ThreadPool& pool, std::function<double()> now_s) {
  model.bind(memory, pool);
  executor.bind(memory, pool, model, std::move(now_s));
  optimizer->bind(memory, pool);
  clip->bind(memory, pool);
  batch.bind(memory);
}

}  // namespace cairn::planner
