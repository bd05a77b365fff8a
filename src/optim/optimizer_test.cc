#include "optim/optimizer.h"

#include <map>
#include <memory>

#include "optim/adamw.h"
#include "optim/ademamix.h"
#include "tests/optim/optim_test_util.h"

namespace cairn::optim {
namespace {

std::unique_ptr<Optimizer> make(const std::string& name, std::span<const OptimParameter> parameters,
                                Plan& plan) {
  if (name == "adamw") {
    return std::make_unique<AdamW>(AdamWConfig{}, parameters, plan);
  }
  return std::make_unique<Ademamix>(AdemamixConfig{}, parameters, plan);
}

const std::vector<ParameterSpec> kSpecs = {
    {"embed", {1000, 33}}, {"norm", {33}}, {"alpha", {1}}, {"up", {77, 33}}, {"down", {33, 600}}};

class AnyOptimizer : public testing::TestWithParam<std::string> {
 protected:
  // Weights and moments after three steps, by name.
  std::map<std::string, std::vector<float>> run(std::vector<ParameterSpec> specs, int num_threads) const {
    Plan plan;
    const std::vector<OptimParameter> parameters = declare(specs, plan);
    const std::unique_ptr<Optimizer> optimizer = make(GetParam(), parameters, plan);
    plan.seal(1);
    const Memory memory = Memory::create(plan).value();
    ThreadPool pool(num_threads);
    optimizer->bind(memory, pool);
    fill_parameters(memory, parameters, 5);
    for (std::int64_t t = 1; t <= 3; ++t) {
      optimizer->step(t, 1e-2, 0.7);
    }
    std::map<std::string, std::vector<float>> result;
    for (const OptimParameter& parameter : parameters) {
      result[parameter.name] = values(memory, parameter.weight);
      result["grad." + parameter.name] = values(memory, parameter.gradient);
    }
    for (const StateTensor& state : optimizer->state()) {
      result[state.moment + "." + state.parameter] = values(memory, state.tensor);
    }
    return result;
  }
};

TEST_P(AnyOptimizer, BitsDoNotDependOnThreads) {
  const auto expected = run(kSpecs, 1);
  EXPECT_EQ(run(kSpecs, 1), expected);
  EXPECT_EQ(run(kSpecs, 2), expected);
  EXPECT_EQ(run(kSpecs, 3), expected);
}

TEST_P(AnyOptimizer, BitsDoNotDependOnLayout) {
  const std::vector<ParameterSpec> reversed(kSpecs.rbegin(), kSpecs.rend());
  EXPECT_EQ(run(reversed, 2), run(kSpecs, 1));
}

TEST_P(AnyOptimizer, StateIsPlannedAndNamed) {
  Plan plan;
  const std::vector<OptimParameter> parameters = declare(kSpecs, plan);
  const std::unique_ptr<Optimizer> optimizer = make(GetParam(), parameters, plan);
  EXPECT_EQ(optimizer->name(), GetParam());
  const std::size_t num_moments = GetParam() == "adamw" ? 2 : 3;
  ASSERT_EQ(optimizer->state().size(), num_moments * kSpecs.size());
  EXPECT_EQ(optimizer->state()[0].moment, GetParam() == "adamw" ? "exp_avg" : "exp_avg_fast");
  EXPECT_EQ(optimizer->state()[num_moments - 1].moment, "exp_avg_sq");
  EXPECT_EQ(optimizer->state()[num_moments].parameter, "norm");
  for (const StateTensor& state : optimizer->state()) {
    EXPECT_EQ(plan.spec(state.tensor).lifetime, Lifetime::kOptimizer);
    EXPECT_EQ(plan.spec(state.tensor).dtype, DType::kFloat32);
  }
}

TEST_P(AnyOptimizer, RefusesWhatTheCallerMustRefuse) {
  Plan plan;
  const std::vector<OptimParameter> parameters = declare(kSpecs, plan);
  const std::unique_ptr<Optimizer> optimizer = make(GetParam(), parameters, plan);
  EXPECT_DEATH(optimizer->step(1, 1e-3, 1.0), "not bound");
  plan.seal(1);
  const Memory memory = Memory::create(plan).value();
  ThreadPool pool(1);
  optimizer->bind(memory, pool);
  EXPECT_DEATH(optimizer->step(0, 1e-3, 1.0), "count from 1");
  EXPECT_DEATH(optimizer->step(1, 1e-3, std::numeric_limits<double>::quiet_NaN()), "must be refused");
}

INSTANTIATE_TEST_SUITE_P(Optimizers, AnyOptimizer, testing::Values("adamw", "ademamix"));

}  // namespace
}  // namespace cairn::optim
