#include "nn/mlp_block.h"

#include <cmath>

#include "tests/golden/model_fixture.h"

namespace cairn::nn {
namespace {

using ops::WriteMode;

double softplus(double x) {
  return std::log1p(std::exp(x));
}

// y = W x for one row.
std::vector<double> product(ConstTensorView weight_OI, const std::vector<double>& x) {
  std::vector<double> y(static_cast<std::size_t>(weight_OI.dim(0)), 0.0);
  for (std::size_t o = 0; o < y.size(); ++o) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[o] += static_cast<double>(weight_OI.data<float>()[o * x.size() + i]) * x[i];
    }
  }
  return y;
}

std::vector<double> expected_row(const test::ModuleBench& bench, const std::vector<double>& x) {
  std::vector<double> active = product(bench.weight("mlp.up_proj.weight"), x);
  if (bench.config.activation() == Activation::kXielu) {
    const double alpha_p = softplus(static_cast<double>(*bench.weight("mlp.act_fn.alpha_p").data<float>()));
    const double alpha_n =
        0.5 + softplus(static_cast<double>(*bench.weight("mlp.act_fn.alpha_n").data<float>()));
    for (double& u : active) {
      u = u > 0.0 ? alpha_p * u * u + 0.5 * u : alpha_n * (std::expm1(std::min(u, -1e-6)) - u) + 0.5 * u;
    }
  } else {
    const std::vector<double> gate = product(bench.weight("mlp.gate_proj.weight"), x);
    for (std::size_t i = 0; i < active.size(); ++i) {
      active[i] *= gate[i] / (1.0 + std::exp(-gate[i]));
    }
  }
  return product(bench.weight("mlp.down_proj.weight"), active);
}

TEST(MlpBlock, ForwardIsItsFormula) {
  for (const ModelType type : {ModelType::kApertus, ModelType::kLlama}) {
    test::ModuleBench bench(test::small_config(type), 1, 5);
    DeclareContext ctx = bench.declare(0, true);
    const MlpBlock block = MlpBlock::declare(ctx, "mlp.");
    const std::int64_t D = bench.config.hidden_size;
    const TensorId x_id = bench.add(Shape{5, D});
    const TensorId y_id = bench.add(Shape{5, D});
    bench.finish(test::printed_seed());
    std::mt19937 random(11);
    test::fill_random(bench.view(x_id), random, 0.0F, 1.0F);
    const RunContext run = bench.run(5, 0);
    block.forward(run, bench.view(x_id));
    block.project(run, bench.view(y_id));
    for (std::int64_t row = 0; row < 5; ++row) {
      const float* x = bench.view(x_id).data<float>() + row * D;
      const std::vector<double> expected = expected_row(bench, std::vector<double>(x, x + D));
      for (std::int64_t d = 0; d < D; ++d) {
        EXPECT_NEAR(static_cast<double>(bench.view(y_id).data<float>()[row * D + d]),
                    expected[static_cast<std::size_t>(d)], 1e-5);
      }
    }
  }
}

TEST(MlpBlock, BackwardMatchesADirectionalDifference) {
  for (const ModelType type : {ModelType::kApertus, ModelType::kLlama}) {
    test::ModuleBench bench(test::small_config(type), 1, 5);
    DeclareContext ctx = bench.declare(0, true);
    const MlpBlock block = MlpBlock::declare(ctx, "mlp.");
    const std::int64_t D = bench.config.hidden_size;
    const TensorId x_id = bench.add(Shape{5, D});
    const TensorId y_id = bench.add(Shape{5, D});
    const TensorId dx_id = bench.add(Shape{5, D});
    const TensorId dy_id = bench.add(Shape{5, D});
    bench.finish(test::printed_seed());
    std::mt19937 random(11);
    test::fill_random(bench.view(x_id), random, 0.0F, 1.0F);
    test::fill_random(bench.view(dy_id), random, 0.0F, 1.0F);
    const RunContext run = bench.run(5, 0);
    block.forward(run, bench.view(x_id));
    block.project(run, bench.view(y_id));
    block.backward(run, bench.view(dx_id), bench.view(dy_id), bench.view(x_id), WriteMode::kOverwrite);

    // Central difference in double along a random direction of the input.
    std::normal_distribution<double> normal;
    double claimed = 0.0;
    double difference = 0.0;
    constexpr double kStep = 1e-4;
    for (std::int64_t row = 0; row < 5; ++row) {
      std::vector<double> up, down;
      for (std::int64_t d = 0; d < D; ++d) {
        const std::int64_t i = row * D + d;
        const double direction = normal(random);
        const auto x = static_cast<double>(bench.view(x_id).data<float>()[i]);
        claimed += direction * static_cast<double>(bench.view(dx_id).data<float>()[i]);
        up.push_back(x + kStep * direction);
        down.push_back(x - kStep * direction);
      }
      const std::vector<double> y_up = expected_row(bench, up);
      const std::vector<double> y_down = expected_row(bench, down);
      for (std::int64_t d = 0; d < D; ++d) {
        const auto i = static_cast<std::size_t>(d);
        difference += static_cast<double>(bench.view(dy_id).data<float>()[row * D + d]) *
                      (y_up[i] - y_down[i]) / (2.0 * kStep);
      }
    }
    EXPECT_NEAR(claimed, difference, 1e-4 * std::max(1.0, std::abs(difference)));
  }
}

}  // namespace
}  // namespace cairn::nn
