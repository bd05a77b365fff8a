#include "ops/cross_entropy.h"

#include <limits>

#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

struct Case {
  std::int64_t N, V;
  double scale;
};

class CrossEntropy : public testing::TestWithParam<Case> {
 protected:
  std::int64_t N = GetParam().N, V = GetParam().V;
  std::mt19937 random{test_seed()};
  Shape shape{N, V};
  Floats logits = random_floats(random, N* V, GetParam().scale);
  Indices targets = random_indices(random, N, V);
  Floats weight = Floats(static_cast<std::size_t>(N), 1.0F);
  Floats dloss = random_floats(random, N, 0.3);

  void SetUp() override {
    if (N > 2) {
      weight[1] = 0.0F;
      dloss[1] = 0.0F;
      targets[1] = -100;  // anything where the weight is 0
    }
  }
};

TEST_P(CrossEntropy, ForwardMatchesReference) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats loss(weight.size(), 7.0F), lse(weight.size());
    cross_entropy_forward(ctx, mutable_view(loss, {N}), mutable_view(lse, {N}), view(logits, shape),
                          view(targets), view(weight, {N}));
    return std::vector<Floats>{loss, lse};
  });
  const reference::CrossEntropyOutput expected =
      reference::cross_entropy_forward(to_doubles(logits), targets, to_doubles(weight));
  // Each exponential: one rounding of x - maximum (up to 10 scales), two of its value; then the logarithm.
  const double scale = 10.0 * GetParam().scale;
  expect_close("loss", outputs[0], expected.loss_N, 6, scale);
  expect_close("lse", outputs[1], expected.lse_N, 6, scale);
}

TEST_P(CrossEntropy, BackwardMatchesReference) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats loss(weight.size()), lse(weight.size()), dlogits(logits.size(), 7.0F), aliased = logits;
    cross_entropy_forward(ctx, mutable_view(loss, {N}), mutable_view(lse, {N}), view(logits, shape),
                          view(targets), view(weight, {N}));
    cross_entropy_backward(ctx, mutable_view(dlogits, shape), view(logits, shape), view(lse, {N}),
                           view(targets), view(dloss, {N}));
    cross_entropy_backward(ctx, mutable_view(aliased, shape), view(aliased, shape), view(lse, {N}),
                           view(targets), view(dloss, {N}));
    return std::vector<Floats>{dlogits, aliased};
  });
  const Vector expected = reference::cross_entropy_backward(to_doubles(logits), targets, to_doubles(dloss));
  // The rounding of the log-sum-exp (up to 10 scales) moves every probability by as much, relatively.
  expect_close("dlogits", outputs[0], expected, 20.0 * GetParam().scale + 8, 1.0);
  EXPECT_EQ(outputs[0], outputs[1]);
}

TEST_P(CrossEntropy, BothAtOnceHaveTheBitsOfTheTwoCalls) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats loss(weight.size(), 7.0F), lse(weight.size()), dlogits = logits, loss_at_once(weight.size(), 7.0F);
    cross_entropy_forward(ctx, mutable_view(loss, {N}), mutable_view(lse, {N}), view(logits, shape),
                          view(targets), view(weight, {N}));
    cross_entropy_backward(ctx, mutable_view(dlogits, shape), view(logits, shape), view(lse, {N}),
                           view(targets), view(dloss, {N}));
    Floats in_place = logits;
    cross_entropy_forward_backward(ctx, mutable_view(loss_at_once, {N}), mutable_view(in_place, shape),
                                   view(targets), view(weight, {N}), view(dloss, {N}));
    return std::vector<Floats>{loss, dlogits, loss_at_once, in_place};
  });
  EXPECT_EQ(outputs[0], outputs[2]);
  EXPECT_EQ(outputs[1], outputs[3]);
}

INSTANTIATE_TEST_SUITE_P(Shapes, CrossEntropy,
                         testing::Values(Case{1, 1, 1}, Case{3, 5, 1}, Case{4, 16, 3}, Case{7, 33, 2},
                                         Case{5, 4097, 1}, Case{9, 12345, 4}, Case{3, 262144, 2}));

TEST(CrossEntropyEdges, ConfidentPredictionKeepsItsDigits) {
  TestContext context(1);
  const Floats logits = {1000.0F, 989.0F};
  Floats loss(1), lse(1);
  cross_entropy_forward(context.context(), mutable_view(loss, {1}), mutable_view(lse, {1}),
                        view(logits, {1, 2}), view(Indices{1}), view(Floats{1.0F}, {1}));
  EXPECT_NEAR(loss[0], 11.0 + std::log1p(std::exp(-11.0)), 1e-6);
}

TEST(CrossEntropyEdges, AscendingChunksAreRescaled) {
  // Every chunk of the row has a larger maximum than the ones before.
  Vector logits;
  for (int i = 0; i < 20000; ++i) {
    logits.push_back(static_cast<double>(static_cast<float>(i) * 0.004F));
  }
  TestContext context(1);
  Floats loss(1), lse(1);
  cross_entropy_forward(context.context(), mutable_view(loss, {1}), mutable_view(lse, {1}),
                        view(to_floats(logits), {1, 20000}), view(Indices{0}), view(Floats{1.0F}, {1}));
  EXPECT_NEAR(loss[0], reference::cross_entropy_forward(logits, {0}, {1.0}).loss_N[0], 80.0 * 4 * kRounding);
}

TEST(CrossEntropyEdges, NonFiniteLogitsReachTheLoss) {
  TestContext context(1);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Floats logits(40, 0.5F), loss(1), lse(1);
    logits[23] = bad;
    cross_entropy_forward(context.context(), mutable_view(loss, {1}), mutable_view(lse, {1}),
                          view(logits, {1, 40}), view(Indices{0}), view(Floats{1.0F}, {1}));
    EXPECT_FALSE(std::isfinite(loss[0])) << bad;
  }
}

TEST(CrossEntropyEdges, TargetOutsideTheVocabularyAborts) {
  TestContext context(1);
  Floats logits(4), loss(1), lse(1);
  EXPECT_DEATH(cross_entropy_forward(context.context(), mutable_view(loss, {1}), mutable_view(lse, {1}),
                                     view(logits, {1, 4}), view(Indices{4}), view(Floats{1.0F}, {1})),
               "target 4 of row 0");
}

}  // namespace
}  // namespace cairn::ops
