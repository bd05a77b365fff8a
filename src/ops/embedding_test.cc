#include "ops/embedding.h"

#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

struct Case {
  std::int64_t N, V, D;
};
class Embedding : public testing::TestWithParam<Case> {};

TEST_P(Embedding, ForwardCopiesRows) {
  std::mt19937 random(test_seed());
  const auto [N, V, D] = GetParam();
  const Floats table = random_floats(random, V * D, 1.0);
  const Indices ids = random_indices(random, N, V);
  const auto outputs = run_deterministic([&, n = N, v = V, d = D](const OpContext& ctx) {
    Floats out(static_cast<std::size_t>(n * d));
    embedding_forward(ctx, mutable_view(out, {n, d}), view(table, {v, d}), view(ids));
    return std::vector<Floats>{out};
  });
  EXPECT_EQ(to_doubles(outputs[0]), reference::embedding_forward(to_doubles(table), ids, D));
}

TEST_P(Embedding, BackwardAddsRowsInTokenOrder) {
  std::mt19937 random(test_seed());
  const auto [N, V, D] = GetParam();
  const Floats dout = random_floats(random, N * D, 1.0);
  const Floats before = random_floats(random, V * D, 1.0);
  const Indices ids = random_indices(random, N, V);
  const auto outputs = run_deterministic([&, n = N, v = V, d = D](const OpContext& ctx) {
    Floats dtable = before;
    embedding_backward(ctx, mutable_view(dtable, {v, d}), view(dout, {n, d}), view(ids));
    return std::vector<Floats>{dtable};
  });
  // The order is part of the contract: equal bits, not nearly equal numbers.
  Floats expected = before;
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t d = 0; d < D; ++d) {
      expected[static_cast<std::size_t>(ids[static_cast<std::size_t>(n)] * D + d)] +=
          dout[static_cast<std::size_t>(n * D + d)];
    }
  }
  EXPECT_EQ(outputs[0], expected);
  const Vector gradient = reference::embedding_backward(to_doubles(dout), ids, V, D);
  expect_close("dtable", outputs[0], reference::add(gradient, to_doubles(before)), static_cast<double>(N),
               4.0);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Embedding,
                         testing::Values(Case{1, 1, 1}, Case{5, 3, 7}, Case{100, 11, 33}, Case{300, 50, 128},
                                         Case{64, 1000, 515}));

TEST(EmbeddingChecks, IdOutsideTheVocabularyAborts) {
  TestContext context(1);
  Floats table(6), out(3);
  EXPECT_DEATH(
      embedding_forward(context.context(), mutable_view(out, {1, 3}), view(table, {2, 3}), view(Indices{2})),
      "id 2 of row 0");
  EXPECT_DEATH(
      embedding_forward(context.context(), mutable_view(out, {1, 3}), view(table, {2, 3}), view(Indices{-1})),
      "id -1 of row 0");
}

}  // namespace
}  // namespace cairn::ops
