#include "ops/activation.h"

#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

struct Case {
  std::int64_t N, F;
};

class Activation : public testing::TestWithParam<Case> {
 protected:
  std::int64_t N = GetParam().N, F = GetParam().F;
  std::mt19937 random{test_seed()};
  Shape shape{N, F};
  Floats x = random_floats(random, N* F, 2.0);
  Floats up = random_floats(random, N* F, 1.0);
  Floats dy = random_floats(random, N* F, 1.0);
  Floats a_p = {0.37F}, a_n = {-0.81F};
  XieluConstants constants;
  reference::Xielu reference_xielu{0.37F, -0.81F, constants.beta, constants.eps};
};

TEST_P(Activation, XieluForwardMatchesReference) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats y(x.size()), aliased = x;
    xielu_forward(ctx, mutable_view(y, shape), view(x, shape), view(a_p, {1}), view(a_n, {1}), constants);
    xielu_forward(ctx, mutable_view(aliased, shape), view(aliased, shape), view(a_p, {1}), view(a_n, {1}),
                  constants);
    return std::vector<Floats>{y, aliased};
  });
  // The terms of the negative branch are of unit size before they cancel.
  expect_close("y", outputs[0], reference::xielu_forward(to_doubles(x), reference_xielu), 8, 1.0);
  EXPECT_EQ(outputs[0], outputs[1]);
}

TEST_P(Activation, XieluBackwardInputMatchesReference) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats dx(x.size()), aliased = dy;
    Floats da_p(1), da_n(1);
    xielu_backward(ctx, {mutable_view(dx, shape), mutable_view(da_p, {1}), mutable_view(da_n, {1}),
                         view(dy, shape), view(x, shape), view(a_p, {1}), view(a_n, {1}), constants});
    xielu_backward(ctx, {mutable_view(aliased, shape), mutable_view(da_p, {1}), mutable_view(da_n, {1}),
                         view(aliased, shape), view(x, shape), view(a_p, {1}), view(a_n, {1}), constants});
    return std::vector<Floats>{dx, aliased};
  });
  expect_close("dx", outputs[0], reference::xielu_backward(to_doubles(dy), to_doubles(x), reference_xielu).dx,
               8, 4.0);
  EXPECT_EQ(outputs[0], outputs[1]);
}

TEST_P(Activation, XieluBackwardWeightAddsTheSumOverElements) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats da_p = {0.5F}, da_n = {-0.25F};
    Floats dx(x.size());
    xielu_backward(ctx, {mutable_view(dx, shape), mutable_view(da_p, {1}), mutable_view(da_n, {1}),
                         view(dy, shape), view(x, shape), view(a_p, {1}), view(a_n, {1}), constants});
    return std::vector<Floats>{da_p, da_n};
  });
  const reference::XieluGradients expected =
      reference::xielu_backward(to_doubles(dy), to_doubles(x), reference_xielu);
  // Terms carry a few float32 roundings each and are summed in double: errors add like a random walk.
  const double scale = 4.0 * std::sqrt(static_cast<double>(N * F)) + 1.0;
  expect_close("da_p", outputs[0], {0.5 + expected.da_p}, 8, scale);
  expect_close("da_n", outputs[1], {-0.25 + expected.da_n}, 8, scale);
}

TEST_P(Activation, SwigluForwardMatchesReference) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats y(x.size()), aliased = up;
    swiglu_forward(ctx, mutable_view(y, shape), view(x, shape), view(up, shape));
    swiglu_forward(ctx, mutable_view(aliased, shape), view(x, shape), view(aliased, shape));
    return std::vector<Floats>{y, aliased};
  });
  expect_close("y", outputs[0], reference::swiglu_forward(to_doubles(x), to_doubles(up)), 10, 1e-30);
  EXPECT_EQ(outputs[0], outputs[1]);
}

TEST_P(Activation, SwigluBackwardMatchesReference) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats dgate(x.size()), dup(x.size()), gate_aliased = x, dy_aliased = dy;
    swiglu_backward(ctx, mutable_view(dgate, shape), mutable_view(dup, shape), view(dy, shape),
                    view(x, shape), view(up, shape));
    swiglu_backward(ctx, mutable_view(gate_aliased, shape), mutable_view(dy_aliased, shape),
                    view(dy_aliased, shape), view(gate_aliased, shape), view(up, shape));
    return std::vector<Floats>{dgate, dup, gate_aliased, dy_aliased};
  });
  const reference::SwigluGradients expected =
      reference::swiglu_backward(to_doubles(dy), to_doubles(x), to_doubles(up));
  expect_close("dgate", outputs[0], expected.dgate, 12, 4.0);
  expect_close("dup", outputs[1], expected.dup, 10, 1e-30);
  EXPECT_EQ(outputs[0], outputs[2]);
  EXPECT_EQ(outputs[1], outputs[3]);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Activation,
                         testing::Values(Case{1, 1}, Case{3, 7}, Case{2, 16}, Case{5, 33}, Case{200, 65},
                                         Case{17, 1030}));

TEST(Xielu, EdgesOfTheBranches) {
  TestContext context(1);
  const XieluConstants constants{0.5F, -1e-3F};
  const Floats x = {0.0F, -1e-4F, -1e-3F, -2e-3F, 1e-4F, -50.0F, 30.0F};
  const Floats one(x.size(), 1.0F), zero = {0.0F};
  Floats y(x.size()), dx(x.size());
  const Shape shape{1, static_cast<std::int64_t>(x.size())};
  xielu_forward(context.context(), mutable_view(y, shape), view(x, shape), view(zero, {1}), view(zero, {1}),
                constants);
  Floats da_p(1), da_n(1);
  xielu_backward(context.context(),
                 {mutable_view(dx, shape), mutable_view(da_p, {1}), mutable_view(da_n, {1}), view(one, shape),
                  view(x, shape), view(zero, {1}), view(zero, {1}), constants});
  const reference::Xielu xielu{0.0, 0.0, 0.5, static_cast<double>(constants.eps)};
  expect_close("y", y, reference::xielu_forward(to_doubles(x), xielu), 6, 1e-2);
  expect_close("dx", dx, reference::xielu_backward(to_doubles(one), to_doubles(x), xielu).dx, 6, 1.0);
  // In the sliver the slope is beta - alpha_n, beyond it near beta.
  EXPECT_NEAR(dx[1], 0.5 - (0.5 + std::log(2.0)), 1e-6);
  EXPECT_NEAR(dx[3], 0.5, 1e-2);
}

TEST(Xielu, NanIsNotHidden) {
  TestContext context(1);
  const Floats x = {std::nanf(""), 1.0F}, zero = {0.0F};
  Floats y(2);
  xielu_forward(context.context(), mutable_view(y, {1, 2}), view(x, {1, 2}), view(zero, {1}), view(zero, {1}),
                {});
  EXPECT_TRUE(std::isnan(y[0]));
  swiglu_forward(context.context(), mutable_view(y, {1, 2}), view(x, {1, 2}), view(x, {1, 2}));
  EXPECT_TRUE(std::isnan(y[0]));
}

}  // namespace
}  // namespace cairn::ops
