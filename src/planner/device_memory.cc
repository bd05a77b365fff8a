#include "planner/device_memory.h"

#include <memory>

#include <fmt/format.h>

#include "base/text.h"

namespace cairn::planner {
namespace {

std::int64_t granular(std::int64_t num_bytes) {
  return (num_bytes + kCudaGranularity - 1) / kCudaGranularity * kCudaGranularity;
}

class KnobList {
 public:
  explicit KnobList(const TrainingPlanInputs& inputs)
      : before_(estimate_device_memory(make_training_plan(inputs)->plan).total()) {}

  void add(std::string change, const TrainingPlanInputs& inputs) {
    const std::unique_ptr<TrainingPlan> plan = make_training_plan(inputs);
    const DeviceMemory device = estimate_device_memory(plan->plan);
    if (device.total() < before_) {
      knobs_.push_back({std::move(change), device, host_arena_bytes(plan->plan)});
    }
  }
  std::vector<MemoryKnob> take() { return std::move(knobs_); }

 private:
  std::int64_t before_;
  std::vector<MemoryKnob> knobs_;
};

}  // namespace

DeviceMemory estimate_device_memory(const Plan& plan) {
  DeviceMemory memory;
  for (int i = 0; i < kNumLifetimes; ++i) {
    const auto lifetime = static_cast<Lifetime>(i);
    memory.arena_bytes += plan.is_on_host(lifetime) ? 0 : granular(plan.region_bytes(lifetime));
  }
  memory.context_bytes = kCudaContextBytes;
  memory.later_bytes = kCudaLaterBytes;
  return memory;
}

std::int64_t host_arena_bytes(const Plan& plan) {
  return plan.region_bytes(Lifetime::kIo) + plan.region_bytes(Lifetime::kParameter) +
         plan.region_bytes(Lifetime::kOptimizer);
}

std::vector<MemoryKnob> memory_knobs(const TrainingPlanInputs& inputs) {
  KnobList knobs(inputs);
  TrainingPlanInputs all = inputs;
  std::string change;
  const auto together = [&](const std::string& part) { change += (change.empty() ? "" : ", ") + part; };
  if (inputs.shape.save_policy == nn::SavePolicy::kAll) {
    TrainingPlanInputs selective = inputs;
    selective.shape.save_policy = nn::SavePolicy::kSelective;
    knobs.add("train.recompute = \"selective\"", selective);
  }
  for (std::int64_t batch = inputs.shape.batch / 2; batch >= 1; batch /= 2) {
    if (inputs.shape.batch % batch == 0) {
      all.shape.batch = batch;
      TrainingPlanInputs smaller = inputs;
      smaller.shape.batch = batch;
      knobs.add(fmt::format("train.microbatch = {}", batch), smaller);
    }
  }
  if (all.shape.batch != inputs.shape.batch) {
    together(fmt::format("train.microbatch = {}", all.shape.batch));
  }
  if (inputs.shape.save_policy != nn::SavePolicy::kFull) {
    TrainingPlanInputs full = inputs;
    full.shape.save_policy = all.shape.save_policy = nn::SavePolicy::kFull;
    knobs.add("train.recompute = \"full\"", full);
    together("train.recompute = \"full\"");
  }
  if (inputs.state_place == optim::StatePlace::kDevice) {
    TrainingPlanInputs host = inputs;
    host.state_place = all.state_place = optim::StatePlace::kHost;
    knobs.add("optimizer.state = \"host\"", host);
    together("optimizer.state = \"host\"");
  }
  knobs.add(change, all);
  return knobs.take();
}

Status check_device_memory_fits(const TrainingPlanInputs& inputs, const DeviceMemory& memory,
                                std::int64_t free_bytes) {
  if (memory.wanted_when_open() <= free_bytes) {
    return ok_status();
  }
  std::string text = fmt::format(
      "the run needs {} of GPU memory (tensors {}, CUDA {}), and {} are free when CUDA has taken its part",
      format_bytes(memory.total()), format_bytes(memory.arena_bytes),
      format_bytes(memory.context_bytes + memory.later_bytes), format_bytes(free_bytes));
  const std::vector<MemoryKnob> knobs = memory_knobs(inputs);
  text +=
      knobs.empty() ? "\n      fix: choose a smaller model or a GPU with more memory" : "\n      fix: one of";
  for (const MemoryKnob& knob : knobs) {
    const bool fits = knob.device.wanted_when_open() <= free_bytes;
    text +=
        fmt::format("\n        {}: {}, {}; {} of host memory", knob.change, format_bytes(knob.device.total()),
                    fits ? "fits" : "does not fit", format_bytes(knob.host_bytes));
  }
  return bad_config(text);
}

}  // namespace cairn::planner
