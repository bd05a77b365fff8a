// The memory of a training process, declared once: `cairn plan` prints this plan and the trainer runs on it, so
// what is printed is what is allocated. Making a plan allocates no tensor: a login node is enough.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <variant>

#include "base/status.h"
#include "device/memory.h"
#include "device/thread_pool.h"
#include "nn/model.h"
#include "optim/adamw.h"
#include "optim/ademamix.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "parallel/evaluation.h"
#include "parallel/executor.h"
#include "parallel/step_batch.h"
#include "tensor/plan.h"

namespace cairn::planner {

struct TrainingPlanInputs {
  nn::ModelConfig model;
  nn::ModelShape shape;               // of one microbatch; shape.num_threads sizes workspaces
  std::int64_t max_microbatches = 1;  // of the largest step
  std::variant<optim::AdamWConfig, optim::AdemamixConfig> optimizer;
  optim::StatePlace state_place = optim::StatePlace::kDevice;
  double clip = 0.0;  // largest gradient norm, 0: no clipping
};

// Everything of a training process that has planned memory, in order of declaration.
struct TrainingPlan {
  Plan plan;  // sealed, one slot
  nn::Model model;
  parallel::Executor executor;  // with the partial sums of the reduction tree
  std::unique_ptr<optim::Optimizer> optimizer;
  std::unique_ptr<optim::GradientClip> clip;
  parallel::StepBatch batch;
  parallel::EvaluationIds evaluation;

  // One update of the weights and of what products are taken with.
  void update(std::int64_t t, double learning_rate, double clip_scale);

  // Binds every part to `memory`, which was made from `plan`. All three outlive the use of this.
  void bind(const Memory& memory, ThreadPool& pool, std::function<double()> now_s);
};

// kBadConfig when sizes, each sound by itself, make together more bytes than 64 bits count: no plan can be made.
Status check_countable(const TrainingPlanInputs& inputs);

// kBadConfig when inputs.shape.fp8 asks for eight-bit products of sizes that are no multiples of 16.
Status check_fp8_sizes(const TrainingPlanInputs& inputs);

// REQUIRES: a model configuration without faults, sizes >= 1, check_countable. The result does not move: Memory keeps a pointer to
// its plan.
std::unique_ptr<TrainingPlan> make_training_plan(const TrainingPlanInputs& inputs);

}  // namespace cairn::planner
