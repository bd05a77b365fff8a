#include "planner/training_plan.h"

#include <span>
#include <utility>
#include <vector>

namespace cairn::planner {
namespace {

std::vector<optim::OptimParameter> optim_parameters(const nn::Model& model) {
  std::vector<optim::OptimParameter> parameters;
  for (const nn::Parameter& parameter : model.parameters()) {
    parameters.push_back({parameter.name, parameter.shape, parameter.weight, parameter.gradient});
  }
  return parameters;
}

std::unique_ptr<optim::Optimizer> declare_optimizer(const TrainingPlanInputs& inputs,
                                                    std::span<const optim::OptimParameter> parameters,
                                                    Plan& plan) {
  if (const auto* adamw = std::get_if<optim::AdamWConfig>(&inputs.optimizer)) {
    return std::make_unique<optim::AdamW>(*adamw, parameters, plan);
  }
  return std::make_unique<optim::Ademamix>(std::get<optim::AdemamixConfig>(inputs.optimizer), parameters,
                                           plan);
}

}  // namespace

std::unique_ptr<TrainingPlan> make_training_plan(const TrainingPlanInputs& inputs) {
  auto result = std::make_unique<TrainingPlan>();
  Plan& plan = result->plan;
  {
    const ScratchScope scope(plan);
    result->model = nn::Model::declare_training(inputs.model, inputs.shape, plan);
  }
  result->executor = parallel::Executor::declare(result->model.parameters(), inputs.max_microbatches, plan);
  const std::vector<optim::OptimParameter> parameters = optim_parameters(result->model);
  {
    // Gradients are clipped and applied when the model's scratch is dead.
    const ScratchScope scope(plan);
    result->optimizer = declare_optimizer(inputs, parameters, plan);
    result->clip = std::make_unique<optim::GradientClip>(inputs.clip, parameters, plan);
  }
  result->batch =
      parallel::StepBatch::declare(inputs.max_microbatches, inputs.shape.batch, inputs.shape.sequence, plan);
  result->evaluation = parallel::declare_evaluation(inputs.shape.batch, inputs.shape.sequence, plan);
  plan.seal(1);
  return result;
}

void TrainingPlan::bind(const Memory& memory, ThreadPool& pool, std::function<double()> now_s) {
  model.bind(memory, pool);
  executor.bind(memory, pool, model, std::move(now_s));
  optimizer->bind(memory, pool);
  clip->bind(memory, pool);
  batch.bind(memory);
}

}  // namespace cairn::planner
