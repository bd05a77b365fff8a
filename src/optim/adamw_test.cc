#include "optim/adamw.h"

#include <cmath>

#include "tests/optim/optim_test_util.h"

namespace cairn::optim {
namespace {

// One matrix and one vector of two elements each, weights 1 and -2, gradients 0.5 and -0.25.
class AdamWByHand : public testing::Test {
 protected:
  void start(const AdamWConfig& config) {
    const std::vector<ParameterSpec> specs = {{"matrix", {1, 2}}, {"vector", {2}}};
    parameters = declare(specs, plan);
    optimizer = std::make_unique<AdamW>(config, parameters, plan);
    plan.seal(1);
    memory = std::make_unique<Memory>(Memory::create(plan).value());
    optimizer->bind(*memory, pool);
    for (const OptimParameter& parameter : parameters) {
      const std::span<float> weight = memory->view(parameter.weight).span<float>();
      const std::span<float> gradient = memory->view(parameter.gradient).span<float>();
      weight[0] = 1.0F;
      weight[1] = -2.0F;
      gradient[0] = 0.5F;
      gradient[1] = -0.25F;
    }
  }
  Plan plan;
  ThreadPool pool{1};
  std::vector<OptimParameter> parameters;
  std::unique_ptr<AdamW> optimizer;
  std::unique_ptr<Memory> memory;
};

TEST_F(AdamWByHand, FirstStepMovesByTheLearningRate) {
  // After one step m / (1 - b1) = g and v / (1 - b2) = g^2: the update is the sign of the gradient.
  start({.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .weight_decay = 0.1});
  optimizer->step(1, 0.01, 1.0);
  const std::vector<float> matrix = values(*memory, parameters[0].weight);
  EXPECT_NEAR(matrix[0], 1.0 * (1 - 0.01 * 0.1) - 0.01, 2e-7);
  EXPECT_NEAR(matrix[1], -2.0 * (1 - 0.01 * 0.1) + 0.01, 2e-7);
  const std::vector<float> vector = values(*memory, parameters[1].weight);
  EXPECT_NEAR(vector[0], 1.0 - 0.01, 2e-7);  // rank 1: no decay
  EXPECT_NEAR(vector[1], -2.0 + 0.01, 2e-7);
}

TEST_F(AdamWByHand, MomentsAreThoseOfTheClippedGradient) {
  start({.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.0, .weight_decay = 0.0});
  optimizer->step(1, 0.0, 0.5);
  optimizer->step(2, 0.0, 0.5);
  // g = 0.25:  m = 0.5 * 0.125 + 0.125,  v = 0.75 * 0.25 g^2 + 0.25 g^2
  const std::vector<float> m = values(*memory, optimizer->state()[0].tensor);
  const std::vector<float> v = values(*memory, optimizer->state()[1].tensor);
  EXPECT_EQ(m[0], 0.1875F);
  EXPECT_EQ(v[0], 0.0625F * 0.4375F);
  EXPECT_EQ(values(*memory, parameters[0].weight)[0], 1.0F);  // a rate of 0 moves nothing
}

TEST_F(AdamWByHand, ZeroGradientOnlyDecays) {
  start({.weight_decay = 0.5});
  memory->view(parameters[0].gradient).span<float>()[0] = 0.0F;
  optimizer->step(1, 0.1, 1.0);
  EXPECT_FLOAT_EQ(values(*memory, parameters[0].weight)[0], 0.95F);
}

}  // namespace
}  // namespace cairn::optim
