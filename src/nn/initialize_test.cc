#include "nn/initialize.h"

#include <cmath>

#include "tests/golden/model_fixture.h"

namespace cairn::nn {
namespace {

struct Moments {
  double mean = 0.0;
  double deviation = 0.0;
};

Moments moments_of(std::span<const float> values) {
  double sum = 0.0;
  double squares = 0.0;
  for (const float x : values) {
    sum += static_cast<double>(x);
    squares += static_cast<double>(x) * static_cast<double>(x);
  }
  const auto count = static_cast<double>(values.size());
  return {sum / count, std::sqrt(squares / count)};
}

class InitializeTest : public ::testing::Test {
 protected:
  InitializeTest() : bench_(test::small_config(ModelType::kApertus), 1, 1) {
    DeclareContext ctx = bench_.declare(0, false);
    Linear::declare(ctx, "one", 200, 300, Initialization::kNormal);
    Linear::declare(ctx, "two", 200, 300, Initialization::kNormalScaledByDepth);
    RmsNorm::declare(ctx, "norm", 20, 1);
    ctx.add_parameter("alpha_p", Shape{1}, Initialization::kXieluAlphaP);
    ctx.add_parameter("alpha_n", Shape{1}, Initialization::kXieluAlphaN);
    plan_memory();
  }
  void plan_memory() {
    bench_.finish(1);
    memory_views_ = {bench_.weight("one.weight"), bench_.weight("two.weight")};
  }
  test::ModuleBench bench_;
  std::vector<TensorView> memory_views_;
};

TEST_F(InitializeTest, MatricesAreNormalWithTheirDeviation) {
  const double range = bench_.config.initializer_range;
  const Moments one = moments_of(memory_views_[0].span<float>());
  const Moments two = moments_of(memory_views_[1].span<float>());
  // 60,000 draws: the mean is within 5 / sqrt(n) deviations, the deviation within 5 / sqrt(2 n).
  EXPECT_NEAR(one.mean, 0.0, range * 0.021);
  EXPECT_NEAR(one.deviation, range, range * 0.015);
  EXPECT_NEAR(two.deviation, range / std::sqrt(2.0 * 2.0), range * 0.015);
}

TEST(Initialize, ConstantsAreWhatTheArchitectureSays) {
  test::TestModel model(test::small_config(ModelType::kApertus), {}, 3);
  ThreadPool pool(1);
  initialize_weights(model.model.parameters(), model.memory(), model.model.config(), 3, pool);
  for (const Parameter& parameter : model.model.parameters()) {
    // The scalars are made in bfloat16: three digits.
    const float first = *model.memory().view(parameter.weight).data<float>();
    if (parameter.initialization == Initialization::kOnes) {
      EXPECT_EQ(first, 1.0F) << parameter.name;
    } else if (parameter.initialization == Initialization::kXieluAlphaP) {
      EXPECT_NEAR(std::log1p(std::exp(static_cast<double>(first))), 0.8, 2e-3);
    } else if (parameter.initialization == Initialization::kXieluAlphaN) {
      EXPECT_NEAR(0.5 + std::log1p(std::exp(static_cast<double>(first))), 0.8, 2e-3);
    }
  }
}

TEST(Initialize, DependsOnNameAndSeedAloneNotOnThreads) {
  const ModelConfig config = test::small_config(ModelType::kLlama);
  ThreadPool one(1);
  ThreadPool three(3);
  test::TestModel training(config, {}, 3);
  test::TestModel evaluation(config, {.B = 1, .T = 5, .use = test::ModelUse::kEvaluation}, 3);
  test::TestModel other_seed(config, {}, 4);
  initialize_weights(training.model.parameters(), training.memory(), config, 9, one);
  initialize_weights(evaluation.model.parameters(), evaluation.memory(), config, 9, three);
  initialize_weights(other_seed.model.parameters(), other_seed.memory(), config, 10, one);
  ASSERT_EQ(training.model.parameters().size(), evaluation.model.parameters().size());
  std::size_t num_different = 0;
  for (std::size_t i = 0; i < training.model.parameters().size(); ++i) {
    const std::vector<float> a = test::copy_of(training.memory().view(training.model.parameters()[i].weight));
    const std::vector<float> b =
        test::copy_of(evaluation.memory().view(evaluation.model.parameters()[i].weight));
    const std::vector<float> c =
        test::copy_of(other_seed.memory().view(other_seed.model.parameters()[i].weight));
    EXPECT_TRUE(test::same_bits(a, b)) << training.model.parameters()[i].name;
    num_different += test::same_bits(a, c) ? 0U : 1U;
  }
  EXPECT_EQ(num_different, 1U + 2U * 7U + 1U);  // embedding, seven matrices per layer, head
}

}  // namespace
}  // namespace cairn::nn
