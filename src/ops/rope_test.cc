#include "ops/rope.h"

#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

Floats frequencies(std::int64_t half, double theta) {
  Floats f;
  for (std::int64_t i = 0; i < half; ++i) {
    f.push_back(static_cast<float>(std::pow(theta, -static_cast<double>(i) / static_cast<double>(half))));
  }
  return f;
}

struct Table {
  Floats cosines, sines;
};
Table make_table(const OpContext& ctx, std::int64_t P, const Floats& f) {
  const auto K = static_cast<std::int64_t>(f.size());
  Table table{Floats(static_cast<std::size_t>(P * K)), Floats(static_cast<std::size_t>(P * K))};
  rope_table(ctx, mutable_view(table.cosines, {P, K}), mutable_view(table.sines, {P, K}), f);
  return table;
}

TEST(RopeTable, EntriesAreCorrectlyRounded) {
  constexpr std::int64_t kP = 70001;
  const Floats f = frequencies(7, 500000.0);
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    const Table table = make_table(ctx, kP, f);
    return std::vector<Floats>{table.cosines, table.sines};
  });
  Vector cosines, sines;
  for (std::int64_t p = 0; p < kP; ++p) {
    for (const float frequency : f) {
      const double angle = static_cast<double>(static_cast<float>(p) * frequency);
      cosines.push_back(std::cos(angle));
      sines.push_back(std::sin(angle));
    }
  }
  // One rounding, relative to the entry itself, however small (1e-16 for the arithmetic before it).
  expect_close("cos", outputs[0], cosines, 1.001, 1e-9);
  expect_close("sin", outputs[1], sines, 1.001, 1e-9);
}

struct Case {
  std::int64_t N, H, C;
};
class Rope : public testing::TestWithParam<Case> {};

TEST_P(Rope, ForwardAndBackwardMatchReference) {
  std::mt19937 random(test_seed());
  const auto [N, H, C] = GetParam();
  constexpr std::int64_t kP = 50;
  const Shape shape{N, H, C};
  const Floats f = frequencies(C / 2, 10000.0);
  const Floats x = random_floats(random, N * H * C, 1.0);
  const Indices positions = random_indices(random, N, kP);
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    const Table table = make_table(ctx, kP, f);
    const ConstTensorView cosines = view(table.cosines, {kP, C / 2});
    const ConstTensorView sines = view(table.sines, {kP, C / 2});
    Floats y(x.size()), aliased = x, dx(x.size());
    rope_forward(ctx, mutable_view(y, shape), view(x, shape), view(positions), cosines, sines);
    rope_forward(ctx, mutable_view(aliased, shape), view(aliased, shape), view(positions), cosines, sines);
    rope_backward(ctx, mutable_view(dx, shape), view(x, shape), view(positions), cosines, sines);
    return std::vector<Floats>{y, aliased, dx};
  });
  // An angle of up to kP radians is rounded to float32 before its cosine is taken; three roundings follow.
  const double roundings = kP + 4;
  expect_close("y", outputs[0], reference::rope(to_doubles(x), positions, to_doubles(f), H, +1), roundings,
               5.0);
  expect_close("dx", outputs[2], reference::rope(to_doubles(x), positions, to_doubles(f), H, -1), roundings,
               5.0);
  EXPECT_EQ(outputs[0], outputs[1]);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Rope,
                         testing::Values(Case{1, 1, 2}, Case{3, 2, 6}, Case{7, 3, 10}, Case{2, 5, 34},
                                         Case{60, 4, 64}, Case{33, 9, 128}));

TEST(RopeChecks, PositionOutsideTheTableAborts) {
  TestContext context(1);
  const Table table = make_table(context.context(), 4, {1.0F});
  Floats x(2);
  EXPECT_DEATH(rope_forward(context.context(), mutable_view(x, {1, 1, 2}), view(x, {1, 1, 2}),
                            view(Indices{4}), view(table.cosines, {4, 1}), view(table.sines, {4, 1})),
               "position 4 of row 0");
}

}  // namespace
}  // namespace cairn::ops
