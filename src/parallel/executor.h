// Runs the work items of one step on a model: forward, backward, and the reduction tree over microbatches.
// Decides nothing: the order is the schedule's. One thread calls.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "device/memory.h"
#include "device/thread_pool.h"
#include "nn/model.h"
#include "parallel/schedule.h"
#include "tensor/batch.h"
#include "tensor/plan.h"

namespace cairn::parallel {

// One microbatch of a step as the executor needs it; views into the trainer's io region.
struct Microbatch {
  BatchView batch;
  TensorView loss_BT;        // (B, T) float32, written by the forward pass
  ConstTensorView dloss_BT;  // (B, T) float32, gradient of the objective by each loss
};

// Seconds spent per phase, for the log.
struct PhaseTimes {
  double forward_s = 0;
  double backward_s = 0;  // reduction included
};

class Executor {
 public:
  // Declares the partial-sum buffers of the reduction tree for steps of up to `num_microbatches_max`. With 1 there are
  // none, and gradients of further microbatches are added in their order: what a GPU does, whose products add to
  // float32 gradients at no cost and whose memory has no room for more of them.
  static Executor declare(std::span<const nn::Parameter> parameters, std::int64_t num_microbatches_max,
                          Plan& plan);

  // After this the executor works on `memory` and `model`, which must outlive it. `now_s` reads a monotonic clock.
  void bind(const Memory& memory, ThreadPool& pool, nn::Model& model, std::function<double()> now_s);

  // Zeroes the gradients, runs the items in order. Afterwards every parameter's gradient holds the sum over all
  // microbatches (=). Allocates nothing.  REQUIRES: items fit the microbatches given.
  PhaseTimes run(std::span<const WorkItem> items, std::span<const Microbatch> microbatches);

 private:
  void zero_gradients();
  void reduce(const ReductionAction& action);

  struct Buffers {
    TensorId gradient;
    std::vector<TensorId> partials;  // one per level of the tree
  };
  std::vector<Buffers> declared_;
  std::vector<TensorView> gradients_;              // per parameter
  std::vector<std::vector<TensorView>> partials_;  // per level, per parameter
  ThreadPool* pool_ = nullptr;
  CudaDevice* device_ = nullptr;
  nn::Model* model_ = nullptr;
  std::function<double()> now_s_;
};

}  // namespace cairn::parallel
