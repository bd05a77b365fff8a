#include "nn/layers.h"

#include <cmath>

#include "tests/golden/model_fixture.h"

namespace cairn::nn {
namespace {

using ops::WriteMode;

TEST(Linear, ForwardAndBackwardAreTransposesOfEachOther) {
  // <dy, W x> = <W^T dy, x> = <dW(dy, x), W>
  test::ModuleBench bench(test::small_config(ModelType::kLlama), 1, 7);
  DeclareContext ctx = bench.declare(0, true);
  const Linear linear = Linear::declare(ctx, "linear", 19, 11, Initialization::kNormal);
  const TensorId x_id = bench.add(Shape{7, 11});
  const TensorId y_id = bench.add(Shape{7, 19});
  const TensorId dx_id = bench.add(Shape{7, 11});
  const TensorId dy_id = bench.add(Shape{7, 19});
  bench.finish(test::printed_seed());
  std::mt19937 random(5);
  test::fill_random(bench.view(x_id), random, 0.0F, 1.0F);
  test::fill_random(bench.view(dy_id), random, 0.0F, 1.0F);
  const RunContext run = bench.run(7, 0);
  linear.forward(run, bench.view(y_id), bench.view(x_id), WriteMode::kOverwrite);
  linear.backward_input(run, bench.view(dx_id), bench.view(dy_id), WriteMode::kOverwrite);
  linear.backward_weight(run, bench.view(dy_id), bench.view(x_id));
  const auto dot = [](ConstTensorView a, ConstTensorView b) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < a.num_elements(); ++i) {
      sum += static_cast<double>(a.data<float>()[i]) * static_cast<double>(b.data<float>()[i]);
    }
    return sum;
  };
  const double expected = dot(bench.view(dy_id), bench.view(y_id));
  EXPECT_NEAR(dot(bench.view(dx_id), bench.view(x_id)), expected, 1e-4);
  EXPECT_NEAR(dot(bench.gradient("linear.weight"), bench.weight("linear.weight")), expected, 1e-4);

  const std::vector<float> once = test::copy_of(bench.gradient("linear.weight"));
  linear.backward_weight(run, bench.view(dy_id), bench.view(x_id));
  EXPECT_NEAR(bench.gradient("linear.weight").data<float>()[3], 2.0F * once[3], 1e-4F);
}

TEST(RmsNorm, GroupsShareOneWeight) {
  test::ModuleBench bench(test::small_config(ModelType::kQwen3), 1, 3);
  DeclareContext ctx = bench.declare(0, true);
  const RmsNorm norm = RmsNorm::declare(ctx, "norm", 6, 4);
  const TensorId x_id = bench.add(Shape{3, 24});
  const TensorId y_id = bench.add(Shape{3, 24});
  bench.finish(test::printed_seed());
  std::mt19937 random(5);
  test::fill_random(bench.view(x_id), random, 0.0F, 2.0F);
  norm.forward(bench.run(3, 0), bench.view(y_id), bench.view(x_id));
  const float* x = bench.view(x_id).data<float>();
  const float* y = bench.view(y_id).data<float>();
  const float* weight = bench.weight("norm.weight").data<float>();
  for (std::int64_t group = 0; group < 12; ++group) {
    double squares = 0.0;
    for (std::int64_t c = 0; c < 6; ++c) {
      squares += static_cast<double>(x[group * 6 + c]) * static_cast<double>(x[group * 6 + c]);
    }
    const double scale = 1.0 / std::sqrt(squares / 6.0 + bench.config.rms_norm_eps);
    for (std::int64_t c = 0; c < 6; ++c) {
      const double expected = static_cast<double>(x[group * 6 + c]) * scale * static_cast<double>(weight[c]);
      EXPECT_NEAR(static_cast<double>(y[group * 6 + c]), expected, 1e-5);
    }
  }
}

TEST(Embedding, BackwardAddsRowsOfTheSameId) {
  test::ModuleBench bench(test::small_config(ModelType::kLlama), 1, 3);
  DeclareContext ctx = bench.declare(0, true);
  const Embedding embedding = Embedding::declare(ctx, "embed");
  const std::int64_t D = bench.config.hidden_size;
  const TensorId ids_id = bench.add(Shape{3}, DType::kInt32);
  const TensorId out_id = bench.add(Shape{3, D});
  bench.finish(test::printed_seed());
  std::int32_t* ids = bench.view(ids_id).data<std::int32_t>();
  ids[0] = 4;
  ids[1] = 9;
  ids[2] = 4;
  const RunContext run = bench.run(3, 0);
  embedding.forward(run, bench.view(out_id), bench.view(ids_id));
  const std::vector<float> out = test::copy_of(bench.view(out_id));
  const float* table = bench.weight("embed.weight").data<float>();
  EXPECT_EQ(out[0], table[4 * D]);
  EXPECT_EQ(out[static_cast<std::size_t>(D)], table[9 * D]);
  embedding.backward_weight(run, bench.view(out_id), bench.view(ids_id));
  const float* gradient = bench.gradient("embed.weight").data<float>();
  EXPECT_EQ(gradient[4 * D + 1], out[1] + out[1]);
  EXPECT_EQ(gradient[9 * D + 1], out[static_cast<std::size_t>(D) + 1]);
  EXPECT_EQ(gradient[5 * D + 1], 0.0F);
}

}  // namespace
}  // namespace cairn::nn
