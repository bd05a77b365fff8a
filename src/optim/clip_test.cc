#include "optim/clip.h"

#include <cmath>
#include <limits>

#include "tests/optim/optim_test_util.h"

namespace cairn::optim {
namespace {

struct Fixture {
  Fixture(std::vector<ParameterSpec> specs, double max_norm, int num_threads) : pool(num_threads) {
    parameters = declare(specs, plan);
    clip = std::make_unique<GradientClip>(max_norm, parameters, plan);
    plan.seal(1);
    memory = std::make_unique<Memory>(Memory::create(plan).value());
    clip->bind(*memory, pool);
  }
  std::span<float> gradient(std::size_t i) { return memory->view(parameters[i].gradient).span<float>(); }

  Plan plan;
  ThreadPool pool;
  std::vector<OptimParameter> parameters;
  std::unique_ptr<GradientClip> clip;
  std::unique_ptr<Memory> memory;
};

TEST(GradientClip, ByHand) {
  Fixture f({{"b", {2}}, {"a", {1, 1}}}, 1.0, 1);
  f.gradient(0)[0] = 3.0F;
  f.gradient(0)[1] = 4.0F;
  f.gradient(1)[0] = 12.0F;
  const ClipResult result = f.clip->measure();
  EXPECT_EQ(result.norm, 13.0);
  EXPECT_DOUBLE_EQ(result.clip_scale, 1.0 / (13.0 + 1e-6));
  EXPECT_TRUE(result.is_finite);
  ASSERT_EQ(f.clip->parameter_norms().size(), 2U);
  EXPECT_EQ(f.clip->parameter_norms()[0].name, "a");
  EXPECT_EQ(f.clip->parameter_norms()[0].squared_norm, 144.0);
  EXPECT_EQ(f.clip->parameter_norms()[1].squared_norm, 25.0);
}

TEST(GradientClip, SmallGradientsAreLeftAlone) {
  Fixture f({{"a", {3}}}, 1.0, 1);
  f.gradient(0)[1] = 0.5F;
  EXPECT_EQ(f.clip->measure().clip_scale, 1.0);
  Fixture off({{"a", {3}}}, 0.0, 1);
  off.gradient(0)[1] = 500.0F;
  EXPECT_EQ(off.clip->measure().clip_scale, 1.0);
  EXPECT_EQ(off.clip->measure().norm, 500.0);
}

TEST(GradientClip, SquaresNeitherOverflowNorVanish) {
  Fixture f({{"a", {2}}}, 1.0, 1);
  f.gradient(0)[0] = 1e30F;
  EXPECT_NEAR(f.clip->measure().norm / 1e30, 1.0, 1e-6);
  f.gradient(0)[0] = 1e-30F;
  EXPECT_NEAR(f.clip->measure().norm / 1e-30, 1.0, 1e-6);
}

TEST(GradientClip, NonFiniteGradientIsReported) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Fixture f({{"a", {10000}}, {"b", {5}}}, 1.0, 2);
    f.gradient(0)[9999] = bad;
    EXPECT_FALSE(f.clip->measure().is_finite);
    f.gradient(0)[9999] = 0.0F;
    EXPECT_TRUE(f.clip->measure().is_finite);
  }
}

TEST(GradientClip, ValueDependsOnNamesAlone) {
  const std::vector<ParameterSpec> specs = {
      {"embed", {1000, 33}}, {"norm", {33}}, {"alpha", {1}}, {"up", {77, 64}}, {"down", {64, 128}}};
  const std::vector<ParameterSpec> reversed(specs.rbegin(), specs.rend());
  Fixture expected(specs, 1.0, 1);
  fill_parameters(*expected.memory, expected.parameters, test_seed());
  const ClipResult norm = expected.clip->measure();
  for (const int num_threads : {1, 2, 3}) {
    Fixture other(reversed, 1.0, num_threads);
    fill_parameters(*other.memory, other.parameters, test_seed());
    EXPECT_EQ(other.clip->measure().norm, norm.norm) << num_threads << " threads";
    EXPECT_EQ(other.clip->measure().norm, norm.norm) << "measured again";
  }
  long double squares = 0.0L;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    for (const float g : expected.gradient(i)) {
      squares += static_cast<long double>(g) * static_cast<long double>(g);
    }
  }
  EXPECT_NEAR(norm.norm, static_cast<double>(std::sqrt(squares)), 1e-12 * norm.norm);
}

}  // namespace
}  // namespace cairn::optim
