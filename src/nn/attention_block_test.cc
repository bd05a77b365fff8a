#include "nn/attention_block.h"

#include "tests/golden/model_fixture.h"

namespace cairn::nn {
namespace {

using ops::WriteMode;

constexpr std::int64_t kRows = 11;

// The block with its input and output, in a plan of its own.
struct AttentionBench {
  AttentionBench(ModelType type, std::int64_t cache_rows, std::uint32_t seed)
      : bench(test::small_config(type), 1, kRows) {
    DeclareContext ctx = bench.declare(cache_rows, cache_rows == 0);
    block = AttentionBlock::declare(ctx, "attention.");
    x_id = bench.add(Shape{kRows, bench.config.hidden_size});
    y_id = bench.add(Shape{kRows, bench.config.hidden_size});
    first_key_id = bench.add(Shape{1, kRows}, DType::kInt32);
    bench.finish(seed);
    std::mt19937 random(seed);
    test::fill_random(x(), random, 0.0F, 1.0F);
  }
  TensorView x() const { return bench.view(x_id); }
  TensorView y() const { return bench.view(y_id); }
  std::vector<float> forward(bool with_documents) {
    RunContext run = bench.run(kRows, 0);
    if (with_documents) {
      run.mask = bench.view(first_key_id);
    }
    block.forward(run, x());
    block.project(run, y());
    return test::copy_of(y());
  }
  std::span<const float> row(const std::vector<float>& values, std::int64_t index) const {
    const auto D = static_cast<std::size_t>(bench.config.hidden_size);
    return std::span(values).subspan(static_cast<std::size_t>(index) * D, D);
  }

  test::ModuleBench bench;
  AttentionBlock block;
  TensorId x_id, y_id, first_key_id;
};

TEST(AttentionBlock, LaterRowsDoNotChangeEarlierOnes) {
  for (const ModelType type : test::kAllTypes) {
    AttentionBench attention(type, 0, test::printed_seed());
    const std::vector<float> before = attention.forward(false);
    attention.x().rows(7, 1).data<float>()[2] += 1.0F;
    const std::vector<float> after = attention.forward(false);
    for (std::int64_t t = 0; t < kRows; ++t) {
      EXPECT_EQ(test::same_bits(attention.row(before, t), attention.row(after, t)), t < 7) << t;
    }
  }
}

TEST(AttentionBlock, DocumentsDoNotSeeEachOther) {
  for (const ModelType type : test::kAllTypes) {
    AttentionBench attention(type, 0, test::printed_seed());
    for (std::int32_t t = 5; t < kRows; ++t) {
      attention.bench.view(attention.first_key_id).data<std::int32_t>()[t] = 5;
    }
    const std::vector<float> before = attention.forward(true);
    attention.x().rows(3, 1).data<float>()[0] += 1.0F;
    const std::vector<float> after = attention.forward(true);
    for (std::int64_t t = 0; t < kRows; ++t) {
      EXPECT_EQ(test::same_bits(attention.row(before, t), attention.row(after, t)), t < 3 || t >= 5) << t;
    }
  }
}

TEST(AttentionBlock, TheCacheContinuesASequenceBitForBit) {
  for (const ModelType type : test::kAllTypes) {
    const std::uint32_t seed = test::printed_seed();
    AttentionBench whole(type, 0, seed);
    AttentionBench cached(type, kRows, seed);
    const std::vector<float> expected = whole.forward(false);
    std::int64_t done = 0;
    for (const std::int64_t rows : {4, 1, 1, 5}) {
      const RunContext run = cached.bench.run(rows, done);
      cached.block.forward(run, cached.x().rows(done, rows));
      cached.block.project(run, cached.y().rows(done, rows));
      done += rows;
    }
    EXPECT_TRUE(test::same_bits(expected, test::copy_of(cached.y()))) << model_type_name(type);
  }
}

TEST(AttentionBlock, BackwardWritesOrAdds) {
  AttentionBench attention(ModelType::kApertus, 0, test::printed_seed());
  const std::vector<float> dout = attention.forward(false);
  const RunContext run = attention.bench.run(kRows, 0);
  std::vector<float> dx(dout.size(), 7.0F);
  const TensorView dx_ND = make_view(std::span(dx), attention.x().shape());
  attention.block.backward(run, dx_ND, attention.y(), attention.x(), WriteMode::kOverwrite);
  const std::vector<float> written = dx;
  const std::vector<float> gradient = test::copy_of(attention.bench.gradient("attention.k_proj.weight"));
  attention.block.backward(run, dx_ND, attention.y(), attention.x(), WriteMode::kAdd);
  const std::vector<float> twice = test::copy_of(attention.bench.gradient("attention.k_proj.weight"));
  for (std::size_t i = 0; i < dx.size(); ++i) {
    EXPECT_NEAR(dx[i], 2.0F * written[i], 1e-4F);
  }
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    EXPECT_NEAR(twice[i], 2.0F * gradient[i], 1e-4F);
  }
}

}  // namespace
}  // namespace cairn::nn
