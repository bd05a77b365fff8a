#include "ops/rms_norm.h"

#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

struct Case {
  std::int64_t N, D;
};

class RmsNorm : public testing::TestWithParam<Case> {
 protected:
  std::int64_t N = GetParam().N, D = GetParam().D;
  std::mt19937 random{test_seed()};
  Floats x = random_floats(random, N* D, 1.3);
  Floats weight = random_floats(random, D, 1.0);
  Floats dy = random_floats(random, N* D, 1.0);
  static constexpr float kEps = 1e-5F;
  Shape shape{N, D};
  // One lane's share of a row's sum, the tree over the lanes, and a handful of products.
  double row_roundings = static_cast<double>(D) / 16 + 12;

  Floats forward(const OpContext& ctx, Floats& rstd) const {
    Floats y(x.size());
    rms_norm_forward(ctx, mutable_view(y, shape), mutable_view(rstd, {N}), view(x, shape), view(weight, {D}),
                     kEps);
    return y;
  }
  Floats rstd_of_forward() const {
    TestContext context(1);
    Floats rstd(static_cast<std::size_t>(N));
    forward(context.context(), rstd);
    return rstd;
  }
};

TEST_P(RmsNorm, ForwardMatchesReference) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats rstd(static_cast<std::size_t>(N));
    Floats y = forward(ctx, rstd);
    return std::vector<Floats>{y, rstd};
  });
  expect_close("y", outputs[0], reference::rms_norm_forward(to_doubles(x), to_doubles(weight), kEps),
               row_roundings, 0.0);
}

TEST_P(RmsNorm, BackwardInputMatchesReference) {
  const Floats rstd = rstd_of_forward();
  const Floats before = random_floats(random, N * D, 1.0);
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats written(x.size());
    Floats added = before;
    Floats aliased = dy;
    Floats dweight(weight.size());
    const auto backward = [&](Floats& dx, const Floats& gradient, WriteMode mode) {
      rms_norm_backward(ctx, {mutable_view(dx, shape), mutable_view(dweight, {D}), view(gradient, shape),
                              view(x, shape), view(weight, {D}), view(rstd, {N}), mode});
    };
    backward(written, dy, WriteMode::kOverwrite);
    backward(added, dy, WriteMode::kAdd);
    backward(aliased, aliased, WriteMode::kOverwrite);
    return std::vector<Floats>{written, added, aliased};
  });
  const Vector expected =
      reference::rms_norm_backward(to_doubles(dy), to_doubles(x), to_doubles(weight), kEps).dx;
  // Two terms of the size of dy * weight * rstd may cancel.
  const double scale = 4.0 / 1.3 * *std::max_element(rstd.begin(), rstd.end());
  expect_close("dx", outputs[0], expected, 2 * row_roundings, scale);
  expect_close("dx added", outputs[1], reference::add(expected, to_doubles(before)), 2 * row_roundings,
               scale);
  EXPECT_EQ(outputs[0], outputs[2]);
}

TEST_P(RmsNorm, BackwardWeightAddsTheSumOverRows) {
  const Floats rstd = rstd_of_forward();
  const Floats before = random_floats(random, D, 1.0);
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats dweight = before;
    Floats dx(x.size());
    rms_norm_backward(ctx, {mutable_view(dx, shape), mutable_view(dweight, {D}), view(dy, shape),
                            view(x, shape), view(weight, {D}), view(rstd, {N}), WriteMode::kOverwrite});
    return std::vector<Floats>{dweight};
  });
  const Vector gradient =
      reference::rms_norm_backward(to_doubles(dy), to_doubles(x), to_doubles(weight), kEps).dweight;
  // Chunks of 32 rows are float32 sums; terms are of unit size, their sum of the square root of the count.
  expect_close("dweight", outputs[0], reference::add(gradient, to_doubles(before)), 32 + row_roundings,
               std::sqrt(static_cast<double>(N)) + 1.0);
}

TEST_P(RmsNorm, ForwardMayOverwriteItsInput) {
  TestContext context(2);
  Floats rstd(static_cast<std::size_t>(N));
  const Floats expected = forward(context.context(), rstd);
  Floats aliased = x;
  rms_norm_forward(context.context(), mutable_view(aliased, shape), mutable_view(rstd, {N}),
                   view(aliased, shape), view(weight, {D}), kEps);
  EXPECT_EQ(aliased, expected);
}

INSTANTIATE_TEST_SUITE_P(Shapes, RmsNorm,
                         testing::Values(Case{1, 1}, Case{3, 5}, Case{2, 16}, Case{5, 17}, Case{70, 33},
                                         Case{400, 64}, Case{33, 515}, Case{9, 4096}));

TEST(RmsNormChecks, NamesTheArgument) {
  TestContext context(1);
  Floats x(6), weight(2), rstd(2);
  EXPECT_DEATH(rms_norm_forward(context.context(), mutable_view(x, {2, 3}), mutable_view(rstd, {2}),
                                view(x, {2, 3}), view(weight, {2}), 1e-5F),
               "weight_D: expected shape \\[3\\], got \\[2\\]");
}

}  // namespace
}  // namespace cairn::ops
