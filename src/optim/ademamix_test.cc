#include "optim/ademamix.h"

#include <cmath>

#include "tests/optim/optim_test_util.h"

namespace cairn::optim {
namespace {

TEST(AdemamixSchedules, AlphaIsLinearThenFlat) {
  const AdemamixConfig config;
  EXPECT_DOUBLE_EQ(ademamix_alpha(config, 1), 8e-5);
  EXPECT_DOUBLE_EQ(ademamix_alpha(config, 50000), 4.0);
  EXPECT_DOUBLE_EQ(ademamix_alpha(config, 99999), 8.0 * 99999 / 1e5);
  EXPECT_EQ(ademamix_alpha(config, 100000), 8.0);
  EXPECT_EQ(ademamix_alpha(config, 1000000), 8.0);
}

TEST(AdemamixSchedules, HalfLifeOfBeta3IsLinear) {
  const AdemamixConfig config;
  // Half-lives: ln 0.5 / ln 0.9 = 6.57881 and ln 0.5 / ln 0.9999 = 6931.12; half way 3468.85.
  EXPECT_NEAR(std::log(0.5) / std::log(ademamix_beta3(config, 50000)), 0.5 * (6.578814 + 6931.1249), 0.5);
  EXPECT_NEAR(ademamix_beta3(config, 1), std::pow(0.5, 1.0 / (6.578814 + 6931.1249e-5)), 1e-6);
  EXPECT_NEAR(ademamix_beta3(config, 99999), 0.9999, 2e-8);  // f adds 1e-8 to beta
  EXPECT_EQ(ademamix_beta3(config, 100000), 0.9999);
}

TEST(AdemamixSchedules, WithoutWarmupFullFromTheStart) {
  const AdemamixConfig config{.alpha_warmup_steps = 0, .beta3_warmup_steps = 0};
  EXPECT_EQ(ademamix_alpha(config, 1), 8.0);
  EXPECT_EQ(ademamix_beta3(config, 1), 0.9999);
}

TEST(Ademamix, OneStepByHand) {
  Plan plan;
  const std::vector<ParameterSpec> specs = {{"matrix", {1, 1}}, {"vector", {1}}};
  const std::vector<OptimParameter> parameters = declare(specs, plan);
  Ademamix optimizer({.beta1 = 0.5,
                      .beta2 = 0.75,
                      .beta3 = 0.875,
                      .alpha = 2.0,
                      .alpha_warmup_steps = 0,
                      .beta3_warmup_steps = 0,
                      .epsilon = 0.0,
                      .weight_decay = 0.25},
                     parameters, plan);
  plan.seal(1);
  const Memory memory = Memory::create(plan).value();
  ThreadPool pool(1);
  optimizer.bind(memory, pool);
  for (const OptimParameter& parameter : parameters) {
    memory.view(parameter.weight).span<float>()[0] = 1.0F;
    memory.view(parameter.gradient).span<float>()[0] = 2.0F;
  }
  optimizer.step(1, 0.5, 0.5);
  // g = 1: m1 = 1/2 (corrected 1), m2 = 1/8, v = 1/4 (corrected 1): u = 1 + 2/8.
  EXPECT_FLOAT_EQ(values(memory, parameters[0].weight)[0], 1.0F - 0.5F * (1.25F + 0.25F));
  EXPECT_FLOAT_EQ(values(memory, parameters[1].weight)[0], 1.0F - 0.5F * 1.25F);
  EXPECT_EQ(values(memory, optimizer.state()[0].tensor)[0], 0.5F);
  EXPECT_EQ(values(memory, optimizer.state()[1].tensor)[0], 0.125F);
  EXPECT_EQ(values(memory, optimizer.state()[2].tensor)[0], 0.25F);
}

}  // namespace
}  // namespace cairn::optim
