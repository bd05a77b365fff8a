#include "parallel/executor.h"

#include <cstring>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "parallel/step_batch.h"

namespace cairn::parallel {
namespace {

nn::ModelConfig small_model() {
  nn::ModelConfig config = nn::ModelConfig::defaults(nn::ModelType::kApertus);
  config.vocab_size = 40;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.head_dim = 8;
  config.max_position_embeddings = 16;
  return config;
}

// Model, executor and batch for steps of up to `num_microbatches` of 1 x 8 tokens.
struct Rank {
  explicit Rank(std::int64_t num_microbatches) : pool(1) {
    const nn::ModelConfig config = small_model();
    model = nn::Model::declare_training(config, {1, 8, 1, nn::SavePolicy::kAll}, plan);
    executor = Executor::declare(model.parameters(), num_microbatches, plan);
    batch = StepBatch::declare(num_microbatches, 1, 8, plan);
    plan.seal(1);
    memory = std::make_unique<Memory>(Memory::create(plan).value());
    model.bind(*memory, pool);
    executor.bind(*memory, pool, model, [] { return 0.0; });
    batch.bind(*memory);
    nn::initialize_weights(model.parameters(), *memory, config, 3, pool);
  }

  // Fills microbatch m with the data of global microbatch `global`; the loss gradient does not depend on the rank.
  void fill(std::int64_t m, std::int64_t global) {
    const data::MutableBatch& rows = batch.microbatch(m);
    RandomStream random(random_key(5, "executor"), static_cast<std::uint64_t>(global));
    for (std::size_t t = 0; t < 8; ++t) {
      rows.tokens_BT.span<std::int32_t>()[t] = static_cast<std::int32_t>(random.next_below(40));
      rows.targets_BT.span<std::int32_t>()[t] = static_cast<std::int32_t>(random.next_below(40));
      rows.loss_mask_BT.span<float>()[t] = 1.0F;
      rows.positions_BT.span<std::int32_t>()[t] = static_cast<std::int32_t>(t);
      rows.first_key_BT.span<std::int32_t>()[t] = 0;
    }
  }

  // The gradient of global microbatches [first, first + count), all parameters one after the other.
  std::vector<float> gradient(std::int64_t first, std::int64_t count) {
    for (std::int64_t m = 0; m < count; ++m) {
      fill(m, first + m);
    }
    batch.fold_reduction(LossReduction::kToken, 1);  // one scale for every microbatch
    const float scale = batch.microbatches()[0].dloss_BT.span<float>()[0];
    for (const Microbatch& microbatch : batch.microbatches()) {
      auto* dloss = const_cast<std::byte*>(microbatch.dloss_BT.bytes());
      std::fill_n(reinterpret_cast<float*>(dloss), 8, scale);
    }
    executor.run(accumulation_schedule(count), batch.microbatches());
    std::vector<float> all;
    for (const nn::Parameter& parameter : model.parameters()) {
      const auto span = memory->view(parameter.gradient).span<float>();
      all.insert(all.end(), span.begin(), span.end());
    }
    return all;
  }

  ThreadPool pool;
  Plan plan;
  nn::Model model;
  Executor executor;
  StepBatch batch;
  std::unique_ptr<Memory> memory;
};

std::vector<float> sum(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> total(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    total[i] = a[i] + b[i];
  }
  return total;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Executor, TwoRanksWithHalfTheMicrobatchesGiveTheBitsOfOne) {
  Rank one(8);
  Rank two(4);
  const std::vector<float> whole = one.gradient(0, 8);
  EXPECT_TRUE(same_bits(whole, sum(two.gradient(0, 4), two.gradient(4, 4))));
  std::vector<float> other_order = two.gradient(0, 1);
  for (std::int64_t m = 1; m < 8; ++m) {
    other_order = sum(other_order, two.gradient(m, 1));
  }
  EXPECT_FALSE(same_bits(whole, other_order))
      << "adding one after the other differs: this test sees the order";
}

TEST(Executor, OddCountsFollowTheStatedRule) {
  Rank rank(7);
  const std::vector<float> whole = rank.gradient(0, 7);
  const std::vector<float> left = rank.gradient(0, 4);
  EXPECT_TRUE(same_bits(whole, sum(left, sum(rank.gradient(4, 2), rank.gradient(6, 1)))));
}

TEST(Executor, AStepLeavesNothingForTheNext) {
  Rank rank(3);
  const std::vector<float> first = rank.gradient(0, 3);
  rank.gradient(5, 2);
  EXPECT_TRUE(same_bits(first, rank.gradient(0, 3)));
}

}  // namespace
}  // namespace cairn::parallel
