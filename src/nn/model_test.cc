#include "nn/model.h"

#include <algorithm>

#include "base/allocation_counter.h"
#include "tests/golden/model_fixture.h"

namespace cairn::nn {
namespace {

using test::ModelOptions;
using test::ModelUse;
using test::TestModel;

struct StepBits {
  std::vector<float> losses;
  std::vector<float> gradients;
};

StepBits step_bits(const ModelConfig& config, const ModelOptions& options, std::uint32_t seed) {
  TestModel model(config, options, seed);
  model.forward(0);
  model.backward(0);
  return {test::copy_of(model.loss(0)), model.gradients()};
}

bool same(const StepBits& a, const StepBits& b) {
  return test::same_bits(a.losses, b.losses) && test::same_bits(a.gradients, b.gradients);
}

TEST(Model, RecomputationChangesNoBit) {
  for (const ModelType type : test::kAllTypes) {
    const std::uint32_t seed = test::printed_seed();
    const ModelConfig config = test::small_config(type);
    const StepBits kept = step_bits(config, {}, seed);
    for (const SavePolicy policy : {SavePolicy::kSelective, SavePolicy::kFull}) {
      const StepBits rerun = step_bits(config, {.save_policy = policy}, seed);
      EXPECT_TRUE(same(kept, rerun)) << model_type_name(type) << " under " << static_cast<int>(policy);
    }
    EXPECT_TRUE(std::ranges::any_of(kept.gradients, [](float x) { return x != 0.0F; }));
  }
}

TEST(Model, RecomputationKeepsLess) {
  ModelConfig config = test::small_config(ModelType::kApertus);
  config.num_hidden_layers = 6;
  const TestModel kept(config, {}, 1);
  const TestModel selective(config, {.save_policy = SavePolicy::kSelective}, 1);
  const TestModel rerun(config, {.save_policy = SavePolicy::kFull}, 1);
  EXPECT_LT(selective.plan().region_bytes(Lifetime::kSaved),
            kept.plan().region_bytes(Lifetime::kSaved) * 2 / 3);
  EXPECT_LT(rerun.plan().region_bytes(Lifetime::kSaved), kept.plan().region_bytes(Lifetime::kSaved) / 4);
}

TEST(Model, ThreadsChangeNoBit) {
  for (const ModelType type : test::kAllTypes) {
    const std::uint32_t seed = test::printed_seed();
    const ModelConfig config = test::small_config(type);
    const StepBits one = step_bits(config, {.B = 3, .T = 33}, seed);
    for (const int threads : {2, 3, 5}) {
      EXPECT_TRUE(same(one, step_bits(config, {.B = 3, .T = 33, .threads = threads}, seed)))
          << model_type_name(type) << " on " << threads << " threads";
    }
  }
}

TEST(Model, SlotsDoNotTouchEachOther) {
  for (const SavePolicy policy : {SavePolicy::kAll, SavePolicy::kSelective, SavePolicy::kFull}) {
    const std::uint32_t seed = test::printed_seed();
    const ModelConfig config = test::small_config(ModelType::kApertus);
    const ModelOptions options{.slots = 3, .save_policy = policy};
    // One after the other, and all forwards before the backwards: the sums of gradients are made in the same order
    // per parameter only for the blocks, so compare microbatch by microbatch.
    for (int slot = 0; slot < 3; ++slot) {
      TestModel alone(config, options, seed);
      alone.forward(slot);
      alone.zero_gradients();
      alone.backward(slot);
      TestModel together(config, options, seed);
      for (const int other : {0, 1, 2}) {
        together.forward(other);
      }
      for (const int other : {2, 0, 1}) {
        together.zero_gradients();
        together.backward(other);
        if (other == slot) {
          EXPECT_TRUE(test::same_bits(alone.gradients(), together.gradients())) << "slot " << slot;
        }
      }
      EXPECT_TRUE(test::same_bits(test::copy_of(alone.loss(slot)), test::copy_of(together.loss(slot))));
    }
  }
}

TEST(Model, GradientsAdd) {
  TestModel model(test::small_config(ModelType::kLlama), {}, test::printed_seed());
  model.forward(0);
  model.backward(0);
  const std::vector<float> once = model.gradients();
  model.forward(0);
  model.backward(0);
  const std::vector<float> twice = model.gradients();
  for (std::size_t i = 0; i < once.size(); ++i) {
    ASSERT_NEAR(twice[i], 2.0F * once[i], 1e-4F) << i;
  }
}

TEST(Model, MaskedTargetsMayHoldAnything) {
  TestModel model(test::small_config(ModelType::kQwen3), {}, test::printed_seed());
  model.forward(0);
  model.backward(0);
  const std::vector<float> expected = model.gradients();
  const BatchView batch = model.batch(0);
  auto* targets = const_cast<std::int32_t*>(batch.targets_BT.data<std::int32_t>());
  const auto mask = batch.loss_mask_BT.span<float>();
  for (std::size_t i = 0; i < mask.size(); ++i) {
    targets[i] = mask[i] == 0.0F ? -100 : targets[i];
  }
  model.zero_gradients();
  model.forward(0);
  model.backward(0);
  EXPECT_TRUE(test::same_bits(expected, model.gradients()));
  EXPECT_EQ(model.loss(0).data<float>()[3], 0.0F);
}

TEST(Model, EvaluationAgreesWithTraining) {
  for (const ModelType type : test::kAllTypes) {
    const std::uint32_t seed = test::printed_seed();
    const ModelConfig config = test::small_config(type);
    TestModel training(config, {}, seed);
    training.forward(0);
    TestModel evaluation(config, {.use = ModelUse::kEvaluation}, seed);
    evaluation.model.evaluate(evaluation.batch(0), evaluation.loss(0), evaluation.predicted(0));
    EXPECT_TRUE(test::same_bits(test::copy_of(training.loss(0)), test::copy_of(evaluation.loss(0))));
    evaluation.model.logits(evaluation.batch(0), evaluation.logits());
    const std::vector<float> logits = test::copy_of(evaluation.logits());
    for (std::int64_t row = 0; row < 26; ++row) {
      const auto begin = logits.begin() + row * 37;
      EXPECT_EQ(evaluation.predicted(0).data<std::int32_t>()[row],
                std::max_element(begin, begin + 37) - begin);
    }
    EXPECT_EQ(evaluation.plan().region_bytes(Lifetime::kGradient), 0);
    EXPECT_EQ(evaluation.plan().region_bytes(Lifetime::kSaved), 0);
  }
}

TEST(Model, DecodingGivesTheLogitsOfTheWholeSequence) {
  for (const ModelType type : test::kAllTypes) {
    const std::uint32_t seed = test::printed_seed();
    const ModelConfig config = test::small_config(type);
    TestModel whole(config, {.B = 1, .T = 12, .use = ModelUse::kEvaluation}, seed);
    for (std::int32_t t = 0; t < 12; ++t) {
      whole.positions(0).data<std::int32_t>()[t] = t;
      whole.first_key(0).data<std::int32_t>()[t] = 0;
    }
    whole.model.logits(whole.batch(0), whole.logits());
    TestModel decoder(config, {.B = 1, .T = 5, .use = ModelUse::kInference, .cache_rows = 12}, seed);
    const ConstTensorView tokens = whole.tokens(0).reshape(Shape{12});
    std::int64_t done = 0;
    for (const std::int64_t rows : {5, 1, 2, 1, 3}) {
      decoder.model.decode(tokens.rows(done, rows), done, decoder.last_logits());
      done += rows;
      EXPECT_TRUE(test::same_bits(test::copy_of(decoder.last_logits()),
                                  test::copy_of(whole.logits().rows(done - 1, 1))))
          << model_type_name(type) << " after " << done;
    }
  }
}

TEST(Model, NothingIsAllocatedInAStep) {
  if (!is_allocation_counter_active()) {
    GTEST_SKIP() << "a sanitizer brings its own allocator";
  }
  for (const ModelType type : test::kAllTypes) {
    for (const SavePolicy policy : {SavePolicy::kAll, SavePolicy::kSelective, SavePolicy::kFull}) {
      TestModel model(test::small_config(type), {.threads = 2, .save_policy = policy}, 1);
      model.forward(0);
      model.backward(0);
      const std::uint64_t before = allocation_count().allocations;
      model.forward(0);
      model.backward(0);
      model.model.evaluate(model.batch(0), model.loss(0), model.predicted(0));
      EXPECT_EQ(allocation_count().allocations, before) << model_type_name(type);
    }
    TestModel decoder(test::small_config(type),
                      {.B = 1, .T = 5, .use = ModelUse::kInference, .cache_rows = 12}, 1);
    const std::vector<std::int32_t> ids = {1, 2, 3};
    const ConstTensorView tokens = make_const_view(std::span<const std::int32_t>(ids), Shape{3});
    const std::uint64_t before = allocation_count().allocations;
    decoder.model.decode(tokens, 0, decoder.last_logits());
    decoder.model.decode(tokens.rows(0, 1), 3, decoder.last_logits());
    EXPECT_EQ(allocation_count().allocations, before);
  }
}

}  // namespace
}  // namespace cairn::nn
