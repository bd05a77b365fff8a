#include "ops/elementwise.h"

#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

class Elementwise : public testing::TestWithParam<std::int64_t> {
 protected:
  std::int64_t count = GetParam();
  Shape shape{count};
  std::mt19937 random{test_seed()};
  Floats a = random_floats(random, count, 1.0);
  Floats b = random_floats(random, count, 1.0);
};

TEST_P(Elementwise, AddIsOneRounding) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats y(a.size()), aliased = a, accumulated = b;
    add(ctx, mutable_view(y, shape), view(a, shape), view(b, shape));
    add(ctx, mutable_view(aliased, shape), view(aliased, shape), view(b, shape));
    accumulate(ctx, mutable_view(accumulated, shape), view(a, shape));
    return std::vector<Floats>{y, aliased, accumulated};
  });
  expect_close("y", outputs[0], reference::add(to_doubles(a), to_doubles(b)), 1, 0.0);
  EXPECT_EQ(outputs[0], outputs[1]);
  EXPECT_EQ(outputs[0], outputs[2]);
}

TEST_P(Elementwise, CopyAndFillZero) {
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats copied(a.size()), filled = a;
    copy(ctx, mutable_view(copied, shape), view(a, shape));
    fill_zero(ctx, mutable_view(filled, shape));
    return std::vector<Floats>{copied, filled};
  });
  EXPECT_EQ(outputs[0], a);
  EXPECT_EQ(outputs[1], Floats(a.size(), 0.0F));
}

INSTANTIATE_TEST_SUITE_P(Sizes, Elementwise, testing::Values(1, 15, 16, 17, 1000, 32769, 100003));

TEST(ElementwiseChecks, ShapesMustAgree) {
  TestContext context(1);
  Floats a(6), b(6);
  EXPECT_DEATH(add(context.context(), mutable_view(a, {6}), view(a, {6}), view(b, {2, 3})),
               "add: b: expected shape \\[6\\], got \\[2, 3\\]");
}

}  // namespace
}  // namespace cairn::ops
