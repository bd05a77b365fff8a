#include "ops/norm_rope.h"

#include "ops/rope.h"
#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

constexpr float kEps = 1e-5F;

struct Case {
  std::int64_t N, H, C;
};
class NormRope : public testing::TestWithParam<Case> {};

TEST_P(NormRope, ForwardAndBackwardMatchTheReferencesInSequence) {
  std::mt19937 random(test_seed());
  const std::int64_t N = GetParam().N, H = GetParam().H, C = GetParam().C;
  constexpr std::int64_t kP = 50;
  const Shape shape{N, H, C}, table_shape{kP, C / 2};
  Floats frequencies;
  for (std::int64_t i = 0; i < C / 2; ++i) {
    frequencies.push_back(std::pow(0.9F, static_cast<float>(i)));
  }
  const Floats x = random_floats(random, N * H * C, 1.3), dy = random_floats(random, N * H * C, 1.0);
  const Floats weight = random_floats(random, C, 1.0), before = random_floats(random, C, 1.0);
  const Indices positions = random_indices(random, N, kP);
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats cosines(static_cast<std::size_t>(table_shape.num_elements())), sines = cosines;
    rope_table(ctx, mutable_view(cosines, table_shape), mutable_view(sines, table_shape), frequencies);
    const RopeTables rope{view(positions), view(cosines, table_shape), view(sines, table_shape)};
    Floats y(x.size()), rstd(static_cast<std::size_t>(N * H)), dx = dy, dweight = before;
    norm_rope_forward(ctx, mutable_view(y, shape), mutable_view(rstd, {N * H}), view(x, shape),
                      view(weight, {C}), rope, kEps);
    norm_rope_backward(ctx, {mutable_view(dx, shape), mutable_view(dweight, {C}), view(x, shape),
                             view(weight, {C}), view(rstd, {N * H}), rope});
    return std::vector<Floats>{y, dx, dweight};
  });
  const Vector normed = reference::rms_norm_forward(to_doubles(x), to_doubles(weight), kEps);
  const Vector dnormed = reference::rope(to_doubles(dy), positions, to_doubles(frequencies), H, -1);
  const reference::RmsNormGradients gradients =
      reference::rms_norm_backward(dnormed, to_doubles(x), to_doubles(weight), kEps);
  // An angle of up to kP radians is rounded to float32; a sum over the channels and some products follow.
  const double roundings = kP + 16 + std::sqrt(static_cast<double>(C));
  expect_close("y", outputs[0], reference::rope(normed, positions, to_doubles(frequencies), H, +1), roundings,
               8.0);
  const double steepest = 16.0 * (1.0 + 1.0 / static_cast<double>(C));
  expect_close("dx", outputs[1], gradients.dx, 2 * roundings, steepest);
  expect_close("dweight", outputs[2], reference::add(gradients.dweight, to_doubles(before)), 2 * roundings,
               8.0 * (std::sqrt(static_cast<double>(N * H)) + 1.0));
}

INSTANTIATE_TEST_SUITE_P(Shapes, NormRope,
                         testing::Values(Case{3, 2, 6}, Case{7, 3, 10}, Case{60, 4, 64}, Case{33, 9, 128}));

}  // namespace
}  // namespace cairn::ops
