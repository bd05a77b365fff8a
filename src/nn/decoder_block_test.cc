#include "nn/decoder_block.h"

#include <algorithm>

#include "tests/golden/model_fixture.h"

namespace cairn::nn {
namespace {

struct BlockBench {
  BlockBench(ModelType type, std::uint32_t seed) : bench(test::small_config(type), 1, 9) {
    DeclareContext ctx = bench.declare(0, true);
    block = DecoderBlock::declare(ctx, "block.");
    const Shape shape{9, bench.config.hidden_size};
    x_id = bench.add(shape);
    y_id = bench.add(shape);
    dy_id = bench.add(shape);
    bench.finish(seed);
    std::mt19937 random(seed);
    test::fill_random(bench.view(x_id), random, 0.0F, 1.0F);
    test::fill_random(bench.view(dy_id), random, 0.0F, 1.0F);
  }
  void clear(const std::string& name) { std::ranges::fill(bench.weight(name).span<float>(), 0.0F); }

  test::ModuleBench bench;
  DecoderBlock block;
  TensorId x_id, y_id, dy_id;
};

TEST(DecoderBlock, WithoutOutputProjectionsTheStreamPassesThrough) {
  for (const ModelType type : test::kAllTypes) {
    BlockBench block(type, test::printed_seed());
    block.clear("block.self_attn.o_proj.weight");
    block.clear("block.mlp.down_proj.weight");
    const RunContext run = block.bench.run(9, 0);
    block.block.forward(run, block.bench.view(block.y_id), block.bench.view(block.x_id));
    EXPECT_EQ(test::copy_of(block.bench.view(block.y_id)), test::copy_of(block.bench.view(block.x_id)));
    if (block.bench.config.norm_placement() == NormPlacement::kPost) {
      continue;  // the norm of zeros has a slope of 1 / sqrt(eps): the gradient does not pass unchanged
    }
    const std::vector<float> dy = test::copy_of(block.bench.view(block.dy_id));
    block.block.backward(run, block.bench.view(block.dy_id), block.bench.view(block.x_id));
    EXPECT_EQ(test::copy_of(block.bench.view(block.dy_id)), dy);
  }
}

TEST(DecoderBlock, RecomputeFillsWhatBackwardReads) {
  for (const ModelType type : test::kAllTypes) {
    const std::uint32_t seed = test::printed_seed();
    BlockBench kept(type, seed);
    BlockBench rerun(type, seed);
    const RunContext run = kept.bench.run(9, 0);
    kept.block.forward(run, kept.bench.view(kept.y_id), kept.bench.view(kept.x_id));
    kept.block.backward(run, kept.bench.view(kept.dy_id), kept.bench.view(kept.x_id));
    const RunContext rerun_context = rerun.bench.run(9, 0);
    rerun.block.recompute(rerun_context, rerun.bench.view(rerun.x_id));
    rerun.block.backward(rerun_context, rerun.bench.view(rerun.dy_id), rerun.bench.view(rerun.x_id));
    EXPECT_TRUE(test::same_bits(test::copy_of(kept.bench.view(kept.dy_id)),
                                test::copy_of(rerun.bench.view(rerun.dy_id))));
    for (const Parameter& parameter : kept.bench.parameters) {
      EXPECT_TRUE(test::same_bits(test::copy_of(kept.bench.gradient(parameter.name)),
                                  test::copy_of(rerun.bench.gradient(parameter.name))))
          << parameter.name;
    }
  }
}

}  // namespace
}  // namespace cairn::nn
