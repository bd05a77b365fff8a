#include "nn/lm_head.h"

#include <algorithm>
#include <cmath>

#include "tests/golden/model_fixture.h"

namespace cairn::nn {
namespace {

// A head over `rows` rows, with everything that a batch would give.
struct HeadBench {
  HeadBench(std::int64_t rows, std::uint32_t seed) : bench(test::small_config(ModelType::kLlama), 1, rows) {
    DeclareContext ctx = bench.declare(0, true);
    embedding = Embedding::declare(ctx, "embed");
    head = LmHead::declare(ctx, embedding);
    const Shape shape{rows, bench.config.hidden_size};
    x_id = bench.add(shape);
    dx_id = bench.add(shape);
    targets_id = bench.add(Shape{rows}, DType::kInt32);
    predicted_id = bench.add(Shape{rows}, DType::kInt32);
    mask_id = bench.add(Shape{rows});
    loss_id = bench.add(Shape{rows});
    dloss_id = bench.add(Shape{rows});
    bench.finish(seed);
    std::mt19937 random(seed);
    test::fill_random(bench.view(x_id), random, 0.0F, 1.0F);
    std::uniform_int_distribution<std::int32_t> id(0, 36);
    for (std::int64_t i = 0; i < rows; ++i) {
      bench.view(targets_id).data<std::int32_t>()[i] = id(random);
      bench.view(mask_id).data<float>()[i] = i % 5 == 1 ? 0.0F : 1.0F;
      bench.view(dloss_id).data<float>()[i] = i % 5 == 1 ? 0.0F : 0.01F;
    }
  }
  LmHead::Targets targets() const {
    return {bench.view(targets_id), bench.view(mask_id), bench.view(dloss_id), bench.view(loss_id)};
  }
  void forward_backward(std::int64_t rows) {
    head.forward_backward(bench.run(rows, 0), bench.view(dx_id), bench.view(x_id), targets());
  }

  test::ModuleBench bench;
  Embedding embedding;
  LmHead head;
  TensorId x_id, dx_id, targets_id, predicted_id, mask_id, loss_id, dloss_id;
};

TEST(LmHead, ChunksOfRowsDoNotShowInAnyBit) {
  // Two chunks and a rest in one head, against heads that see one chunk each and add to the same gradient.
  constexpr std::int64_t kRows = 2 * kLmHeadRows + 77;
  const std::uint32_t seed = test::printed_seed();
  HeadBench whole(kRows, seed);
  whole.forward_backward(kRows);
  HeadBench parts(kRows, seed);
  for (std::int64_t begin = 0; begin < kRows; begin += 300) {
    const std::int64_t rows = std::min<std::int64_t>(300, kRows - begin);
    const LmHead::Targets all = parts.targets();
    const LmHead::Targets some{all.targets_N.rows(begin, rows), all.mask_N.rows(begin, rows),
                               all.dloss_N.rows(begin, rows), all.loss_N.rows(begin, rows)};
    parts.head.forward_backward(parts.bench.run(rows, 0), parts.bench.view(parts.dx_id).rows(begin, rows),
                                parts.bench.view(parts.x_id).rows(begin, rows), some);
  }
  EXPECT_TRUE(test::same_bits(test::copy_of(whole.bench.view(whole.loss_id)),
                              test::copy_of(parts.bench.view(parts.loss_id))));
  EXPECT_TRUE(test::same_bits(test::copy_of(whole.bench.view(whole.dx_id)),
                              test::copy_of(parts.bench.view(parts.dx_id))));
  EXPECT_TRUE(test::same_bits(test::copy_of(whole.bench.gradient("lm_head.weight")),
                              test::copy_of(parts.bench.gradient("lm_head.weight"))));
}

TEST(LmHead, EvaluationGivesTheLossesOfTraining) {
  const std::uint32_t seed = test::printed_seed();
  constexpr std::int64_t kRows = kLmHeadRows + 3;
  HeadBench training(kRows, seed);
  training.forward_backward(kRows);
  HeadBench evaluation(kRows, seed);
  evaluation.head.evaluate(evaluation.bench.run(kRows, 0), evaluation.bench.view(evaluation.x_id),
                           evaluation.targets(), evaluation.bench.view(evaluation.predicted_id));
  EXPECT_TRUE(test::same_bits(test::copy_of(training.bench.view(training.loss_id)),
                              test::copy_of(evaluation.bench.view(evaluation.loss_id))));
  EXPECT_EQ(evaluation.bench.view(evaluation.loss_id).data<float>()[1], 0.0F);  // masked
  EXPECT_GT(evaluation.bench.view(evaluation.loss_id).data<float>()[0], 0.0F);
}

TEST(LmHead, PredictsTheLargestLogitAndTheLowestIdOfEquals) {
  HeadBench head(4, test::printed_seed());
  std::ranges::fill(head.bench.weight("lm_head.weight").span<float>(), 0.0F);
  const auto predict = [&] {
    head.head.evaluate(head.bench.run(4, 0), head.bench.view(head.x_id), head.targets(),
                       head.bench.view(head.predicted_id));
    return head.bench.view(head.predicted_id).data<std::int32_t>()[2];
  };
  EXPECT_EQ(predict(), 0);
  std::vector<float> logits(4 * 37);
  float* row = head.bench.weight("lm_head.weight").data<float>() + 12 * head.bench.config.hidden_size;
  std::copy_n(head.bench.view(head.x_id).rows(2, 1).data<float>(), head.bench.config.hidden_size, row);
  head.head.logits(head.bench.run(4, 0), make_view(std::span(logits), Shape{4, 37}),
                   head.bench.view(head.x_id), 0);
  ASSERT_GT(logits[2 * 37 + 12], 0.0F);
  EXPECT_EQ(predict(), 12);
}

}  // namespace
}  // namespace cairn::nn
