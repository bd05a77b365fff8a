// Every backward of the reference against central differences of its forward.
#include "tests/reference/reference_ops.h"

#include <gtest/gtest.h>

#include "tests/reference/finite_difference.h"

namespace cairn::reference {
namespace {

constexpr std::int64_t kSamples = 24;

TEST(ReferenceOps, LinearByHand) {
  // [1 2 3] . [[4 5 6], [7 8 9]]^T
  EXPECT_EQ(linear_forward({1, 2, 3}, {4, 5, 6, 7, 8, 9}, 1, 3, 2), (Vector{32, 50}));
}

TEST(ReferenceOps, LinearBackward) {
  std::mt19937 random(test_seed());
  Vector x = random_vector(random, 5 * 7, 1.0);
  Vector w = random_vector(random, 3 * 7, 1.0);
  const Vector dy = random_vector(random, 5 * 3, 1.0);
  const auto objective = [&] { return dot(linear_forward(x, w, 5, 7, 3), dy); };
  expect_gradient("dx", x, linear_backward_input(dy, w, 5, 7, 3), kSamples, random, objective);
  expect_gradient("dw", w, linear_backward_weight(dy, x, 5, 7, 3), kSamples, random, objective);
}

TEST(ReferenceOps, EmbeddingBackward) {
  std::mt19937 random(test_seed());
  Vector table = random_vector(random, 6 * 4, 1.0);
  const Indices ids = random_indices(random, 15, 6);
  const Vector dout = random_vector(random, 15 * 4, 1.0);
  expect_gradient("dtable", table, embedding_backward(dout, ids, 6, 4), kSamples, random,
                  [&] { return dot(embedding_forward(table, ids, 4), dout); });
}

TEST(ReferenceOps, RmsNormByHand) {
  // mean of squares of (3, 4) is 12.5.
  const Vector y = rms_norm_forward({3, 4}, {1, 2}, 0.0);
  EXPECT_DOUBLE_EQ(y[0], 3 / std::sqrt(12.5));
  EXPECT_DOUBLE_EQ(y[1], 8 / std::sqrt(12.5));
}

TEST(ReferenceOps, RmsNormBackward) {
  std::mt19937 random(test_seed());
  Vector x = random_vector(random, 4 * 9, 1.0);
  Vector weight = random_vector(random, 9, 1.0);
  const Vector dy = random_vector(random, 4 * 9, 1.0);
  const RmsNormGradients gradients = rms_norm_backward(dy, x, weight, 1e-5);
  const auto objective = [&] { return dot(rms_norm_forward(x, weight, 1e-5), dy); };
  expect_gradient("dx", x, gradients.dx, kSamples, random, objective);
  expect_gradient("dweight", weight, gradients.dweight, kSamples, random, objective);
}

TEST(ReferenceOps, RopeKeepsLengthsAndDependsOnDistanceOnly) {
  std::mt19937 random(test_seed());
  const Vector frequencies = {1.0, 0.1, 0.01};
  const Vector a = random_vector(random, 6, 1.0);
  const Vector b = random_vector(random, 6, 1.0);
  const double near = dot(rope(a, {3}, frequencies, 1, 1), rope(b, {7}, frequencies, 1, 1));
  const double far = dot(rope(a, {103}, frequencies, 1, 1), rope(b, {107}, frequencies, 1, 1));
  EXPECT_NEAR(near, far, 1e-12);
  EXPECT_NEAR(dot(a, a), dot(rope(a, {11}, frequencies, 1, 1), rope(a, {11}, frequencies, 1, 1)), 1e-12);
}

TEST(ReferenceOps, RopeBackward) {
  std::mt19937 random(test_seed());
  Vector x = random_vector(random, 3 * 2 * 4, 1.0);
  const Vector dy = random_vector(random, 3 * 2 * 4, 1.0);
  const Vector frequencies = {0.7, 0.05};
  const Indices positions = {0, 5, 2};
  expect_gradient("dx", x, rope(dy, positions, frequencies, 2, -1), kSamples, random,
                  [&] { return dot(rope(x, positions, frequencies, 2, 1), dy); });
}

TEST(ReferenceOps, XieluBackward) {
  std::mt19937 random(test_seed());
  Vector x = random_vector(random, 40, 1.5);
  for (double& v : x) {
    // No difference may straddle the kink of the second derivative at 0.
    v += v > 0.0 ? 0.01 : -0.01;
  }
  const Vector dy = random_vector(random, 40, 1.0);
  Vector scalars = {0.3, -0.4};
  const auto objective = [&] { return dot(xielu_forward(x, {scalars[0], scalars[1]}), dy); };
  const XieluGradients gradients = xielu_backward(dy, x, {scalars[0], scalars[1]});
  expect_gradient("dx", x, gradients.dx, kSamples, random, objective);
  expect_gradient("dalpha", scalars, {gradients.da_p, gradients.da_n}, 2, random, objective);
}

TEST(ReferenceOps, XieluSliverBelowZeroIsFlat) {
  // Between eps and 0 the argument of expm1 is clipped: slope beta - alpha_n.
  const Xielu xielu{0.0, 0.0, 0.5, -1e-3};
  const double alpha_n = 0.5 + std::log(2.0);
  EXPECT_DOUBLE_EQ(xielu_backward({1.0}, {-1e-4}, xielu).dx[0], 0.5 - alpha_n);
  EXPECT_DOUBLE_EQ(xielu_forward({0.0}, xielu)[0], alpha_n * std::expm1(-1e-3));
}

TEST(ReferenceOps, SwigluBackward) {
  std::mt19937 random(test_seed());
  Vector gate = random_vector(random, 20, 1.5);
  Vector up = random_vector(random, 20, 1.0);
  const Vector dy = random_vector(random, 20, 1.0);
  const SwigluGradients gradients = swiglu_backward(dy, gate, up);
  const auto objective = [&] { return dot(swiglu_forward(gate, up), dy); };
  expect_gradient("dgate", gate, gradients.dgate, kSamples, random, objective);
  expect_gradient("dup", up, gradients.dup, kSamples, random, objective);
}

TEST(ReferenceOps, AttentionOfOneKeyIsItsValue) {
  const AttentionShape shape{1, 2, 2, 1, 1, 2, 0};
  const Vector v = {1, 2, 3, 4};
  // The second row may only see itself.
  const AttentionOutput output = attention_forward(shape, {1, 0, 0, 1}, {1, 1, 1, 1}, v, {0, 1});
  EXPECT_EQ(output.o_BTHC, v);
}

TEST(ReferenceOps, AttentionBackward) {
  std::mt19937 random(test_seed());
  const AttentionShape shape{2, 5, 5, 4, 2, 3, 0};
  Vector q = random_vector(random, 2 * 5 * 4 * 3, 1.0);
  Vector k = random_vector(random, 2 * 5 * 2 * 3, 1.0);
  Vector v = random_vector(random, 2 * 5 * 2 * 3, 1.0);
  const Vector d_o = random_vector(random, 2 * 5 * 4 * 3, 1.0);
  const Indices first_key = {0, 0, 2, 2, 4, 0, 1, 1, 1, 0};
  const AttentionGradients gradients = attention_backward(shape, d_o, q, k, v, first_key);
  const auto objective = [&] { return dot(attention_forward(shape, q, k, v, first_key).o_BTHC, d_o); };
  expect_gradient("dq", q, gradients.dq_BTHC, kSamples, random, objective);
  expect_gradient("dk", k, gradients.dk_BSGC, kSamples, random, objective);
  expect_gradient("dv", v, gradients.dv_BSGC, kSamples, random, objective);
}

TEST(ReferenceOps, CrossEntropyByHand) {
  const CrossEntropyOutput output = cross_entropy_forward({0, 0, 0, 0, 1, 2}, {1, 2}, {1, 0});
  EXPECT_DOUBLE_EQ(output.loss_N[0], std::log(3.0));
  EXPECT_EQ(output.loss_N[1], 0.0);
  EXPECT_DOUBLE_EQ(output.lse_N[1], std::log(1 + std::exp(1) + std::exp(2)));
}

TEST(ReferenceOps, CrossEntropyBackward) {
  std::mt19937 random(test_seed());
  Vector logits = random_vector(random, 4 * 11, 2.0);
  const Indices targets = random_indices(random, 4, 11);
  const Vector dloss = {0.25, 0.0, -1.0, 0.5};
  expect_gradient("dlogits", logits, cross_entropy_backward(logits, targets, dloss), kSamples, random, [&] {
    return dot(cross_entropy_forward(logits, targets, {1, 0, 1, 1}).loss_N, dloss);
  });
}

}  // namespace
}  // namespace cairn::reference
