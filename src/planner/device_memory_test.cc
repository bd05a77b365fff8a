#include "planner/device_memory.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::planner {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kGib = std::int64_t{1} << 30;

// A slice of Apertus, 4096 wide with 8 layers, on a GPU.
TrainingPlanInputs slice() {
  TrainingPlanInputs inputs;
  inputs.model.type = nn::ModelType::kApertus;
  inputs.model.vocab_size = 131072;
  inputs.model.hidden_size = 4096;
  inputs.model.intermediate_size = 21504;
  inputs.model.num_hidden_layers = 8;
  inputs.model.num_attention_heads = 32;
  inputs.model.num_key_value_heads = 8;
  inputs.model.head_dim = 128;
  inputs.model.max_position_embeddings = 4096;
  inputs.shape = {.batch = 2,
                  .sequence = 4096,
                  .num_threads = 2,
                  .device = DeviceKind::kCuda,
                  .compute = DType::kBFloat16};
  inputs.optimizer = optim::AdamWConfig{};
  return inputs;
}

DeviceMemory memory_of(const TrainingPlanInputs& inputs) {
  return estimate_device_memory(make_training_plan(inputs)->plan);
}

TEST(DeviceMemory, CountsWhatLiesOnTheGpuAndWhatCudaTakes) {
  const auto plan = make_training_plan(slice());
  const DeviceMemory memory = estimate_device_memory(plan->plan);
  EXPECT_GE(memory.arena_bytes, plan->plan.device_bytes());
  EXPECT_LT(memory.arena_bytes, plan->plan.device_bytes() + kNumLifetimes * kCudaGranularity);
  EXPECT_EQ(memory.total(), memory.arena_bytes + kCudaContextBytes + kCudaLaterBytes);
}

// float32 weight, gradient and two moments, and the bfloat16 copy of all matrices but the embedding.
TEST(DeviceMemory, SelectiveRecomputationKeepsASliceBelowEighteenBytesPerParameterAndFourGib) {
  TrainingPlanInputs inputs = slice();
  inputs.shape.batch = 1;
  inputs.shape.save_policy = nn::SavePolicy::kSelective;
  EXPECT_LT(memory_of(inputs).total(), 18 * nn::num_parameters(inputs.model) + 4 * kGib);
}

TEST(DeviceMemory, MomentsOnTheHostLeaveTheGpu) {
  TrainingPlanInputs inputs = slice();
  const std::int64_t moments = 8 * nn::num_parameters(inputs.model);
  const auto before = make_training_plan(inputs);
  inputs.state_place = optim::StatePlace::kHost;
  const auto after = make_training_plan(inputs);
  EXPECT_NEAR(static_cast<double>(before->plan.device_bytes() - after->plan.device_bytes()),
              static_cast<double>(moments), 1e6);
  EXPECT_EQ(host_arena_bytes(before->plan), host_arena_bytes(after->plan));
}

TEST(DeviceMemory, KnobsHelpAndTogetherHelpMost) {
  const TrainingPlanInputs inputs = slice();
  const std::vector<MemoryKnob> knobs = memory_knobs(inputs);
  std::vector<std::string> changes;
  for (const MemoryKnob& knob : knobs) {
    changes.push_back(knob.change);
    EXPECT_LT(knob.device.total(), memory_of(inputs).total()) << knob.change;
    EXPECT_GE(knob.device.total(), knobs.back().device.total()) << knob.change;
  }
  EXPECT_EQ(changes, (std::vector<std::string>{
                         "train.recompute = \"selective\"", "train.microbatch = 1",
                         "train.recompute = \"full\"", "optimizer.state = \"host\"",
                         "train.microbatch = 1, train.recompute = \"full\", optimizer.state = \"host\""}));
}

TEST(DeviceMemory, WhatDoesNotFitIsRefusedWithKnobsAndNumbers) {
  const TrainingPlanInputs inputs = slice();
  const DeviceMemory memory = memory_of(inputs);
  EXPECT_TRUE(check_device_memory_fits(inputs, memory, memory.wanted_when_open()).ok());
  const Status status = check_device_memory_fits(inputs, memory, memory.wanted_when_open() - 1);
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_THAT(status.message(), HasSubstr("train.recompute = \"selective\""));
  EXPECT_THAT(status.message(), HasSubstr(", fits;"));
  EXPECT_THAT(check_device_memory_fits(inputs, memory, 20 * kGib).message(), HasSubstr("does not fit"));
}

}  // namespace
}  // namespace cairn::planner
