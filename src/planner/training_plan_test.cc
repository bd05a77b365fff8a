#include "planner/training_plan.h"

#include <gtest/gtest.h>

#include "device/memory.h"
#include "parallel/reduction_tree.h"
#include "planner/process_memory.h"

namespace cairn::planner {
namespace {

TrainingPlanInputs small_inputs() {
  TrainingPlanInputs inputs;
  inputs.model.vocab_size = 320;
  inputs.model.hidden_size = 64;
  inputs.model.intermediate_size = 96;
  inputs.model.num_hidden_layers = 2;
  inputs.model.num_attention_heads = 4;
  inputs.model.num_key_value_heads = 2;
  inputs.model.head_dim = 16;
  inputs.model.max_position_embeddings = 32;
  inputs.shape = {.batch = 2, .sequence = 32, .num_threads = 2};
  inputs.max_microbatches = 1;
  inputs.optimizer = optim::AdemamixConfig{};
  return inputs;
}

std::int64_t bytes(const TrainingPlanInputs& inputs, Lifetime lifetime) {
  return make_training_plan(inputs)->plan.region_bytes(lifetime);
}

// The sums of the reduction tree are copies of the gradients; nothing else is there.
TEST(TrainingPlan, GradientRegionHoldsGradientsAndPartialSums) {
  TrainingPlanInputs inputs = small_inputs();
  const std::int64_t one = bytes(inputs, Lifetime::kGradient);
  EXPECT_GE(one, nn::num_parameters(inputs.model) * 4);
  for (const std::int64_t count : {2, 3, 4, 5, 8, 9, 32}) {
    inputs.max_microbatches = count;
    EXPECT_EQ(bytes(inputs, Lifetime::kGradient), one * (1 + parallel::num_partial_buffers(count))) << count;
  }
}

TEST(TrainingPlan, OptimizerRegionHoldsTheMoments) {
  TrainingPlanInputs inputs = small_inputs();
  const std::int64_t weights = bytes(inputs, Lifetime::kParameter);
  EXPECT_EQ(bytes(inputs, Lifetime::kOptimizer), 3 * weights);
  inputs.optimizer = optim::AdamWConfig{};
  EXPECT_EQ(bytes(inputs, Lifetime::kOptimizer), 2 * weights);
}

TEST(TrainingPlan, RecomputationSavesActivations) {
  TrainingPlanInputs inputs = small_inputs();
  const std::int64_t keeps_all = bytes(inputs, Lifetime::kSaved);
  inputs.shape.save_policy = nn::SavePolicy::kFull;
  EXPECT_LT(bytes(inputs, Lifetime::kSaved), keeps_all / 2);
}

TEST(TrainingPlan, WhatIsPlannedIsWhatIsAllocated) {
  const std::unique_ptr<TrainingPlan> plan = make_training_plan(small_inputs());
  const Result<Memory> memory = Memory::create(plan->plan);
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  std::int64_t allocated = 0;
  for (int i = 0; i < kNumLifetimes; ++i) {
    const auto lifetime = static_cast<Lifetime>(i);
    EXPECT_EQ(memory->region(lifetime).num_bytes(), plan->plan.region_bytes(lifetime));
    allocated += memory->region(lifetime).num_bytes();
  }
  EXPECT_EQ(allocated, plan->plan.total_bytes());
  EXPECT_EQ(allocated, estimate_process_memory(plan->plan.total_bytes(), 0, 2).arena_bytes);
}

// The bound is above what a plan really takes, for small and for large sizes.
TEST(TrainingPlan, SizesThatCannotBeCountedAreRefused) {
  TrainingPlanInputs inputs = small_inputs();
  EXPECT_TRUE(check_countable(inputs).ok());
  inputs.model.max_position_embeddings = std::int64_t{1} << 30;
  for (inputs.shape.sequence = 32; check_countable(inputs).ok(); inputs.shape.sequence *= 2) {
    ASSERT_LT(inputs.shape.sequence, std::int64_t{1} << 60);
  }
  EXPECT_EQ(check_countable(inputs).code(), StatusCode::kBadConfig);
  inputs.shape.sequence = 100'000'000;
  inputs.shape.batch = 1'000'000;
  inputs.model.hidden_size = inputs.model.intermediate_size = nn::kWidthMax;
  EXPECT_EQ(check_countable(inputs).code(), StatusCode::kBadConfig);
}

TEST(TrainingPlan, EightBitProductsWantMultiplesOfSixteen) {
  TrainingPlanInputs inputs = small_inputs();
  inputs.shape.device = DeviceKind::kCuda;
  inputs.shape.compute = DType::kBFloat16;
  inputs.shape.fp8 = true;
  EXPECT_TRUE(check_fp8_sizes(inputs).ok());
  // A rounded weight and its transpose take the place of a bfloat16 copy.
  const std::int64_t eight_bits = bytes(inputs, Lifetime::kParameter);
  inputs.shape.fp8 = false;
  EXPECT_NEAR(static_cast<double>(eight_bits), static_cast<double>(bytes(inputs, Lifetime::kParameter)), 1e4);
  inputs.shape.fp8 = true;
  inputs.model.intermediate_size = 100;
  const Status status = check_fp8_sizes(inputs);
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_NE(status.message().find("intermediate_size = 100"), std::string::npos) << status.message();
}

// No tensor of a 70B model is touched: a plan is arithmetic.
TEST(TrainingPlan, PlansTheLargestApertusModel) {
  TrainingPlanInputs inputs = small_inputs();
  inputs.model.vocab_size = 131072;
  inputs.model.hidden_size = 8192;
  inputs.model.intermediate_size = 43008;
  inputs.model.num_hidden_layers = 80;
  inputs.model.num_attention_heads = 64;
  inputs.model.num_key_value_heads = 8;
  inputs.model.head_dim = 128;
  inputs.model.max_position_embeddings = 4096;
  inputs.shape = {.batch = 1, .sequence = 4096, .num_threads = 4};
  EXPECT_EQ(nn::num_parameters(inputs.model), 70599864480);
  const std::int64_t parameter_bytes = bytes(inputs, Lifetime::kParameter);
  EXPECT_GE(parameter_bytes, 4 * 70599864480);
  EXPECT_LT(parameter_bytes, 4 * 70599864480 + 256 * 1000);
}

}  // namespace
}  // namespace cairn::planner
