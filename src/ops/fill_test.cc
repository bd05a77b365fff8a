#include "ops/fill.h"

#include "tests/reference/op_test_util.h"

namespace cairn::ops {
namespace {

class Fill : public testing::TestWithParam<std::int64_t> {};

TEST_P(Fill, EveryElementIsTheValue) {
  const std::int64_t count = GetParam();
  const auto outputs = run_deterministic([&](const OpContext& ctx) {
    Floats y(static_cast<std::size_t>(count), 7.0F);
    fill_constant(ctx, mutable_view(y, {count}), 0.25F);
    return std::vector<Floats>{y};
  });
  EXPECT_EQ(outputs[0], Floats(static_cast<std::size_t>(count), 0.25F));
}

TEST_P(Fill, NumbersAreThoseOfTheStreamFromAnyIndexOn) {
  const auto count = static_cast<std::size_t>(GetParam());
  const RandomKey key = random_key(test_seed(), "fill");
  Floats stream(count + 3);
  cairn::fill_normal(stream, key, 5, 0, 0.5, 2.0);
  for (const std::size_t first : {0U, 1U, 2U, 3U}) {
    const auto outputs = run_deterministic([&](const OpContext& ctx) {
      Floats y(count);
      fill_normal(ctx, mutable_view(y, {GetParam()}),
                  {.key = key, .stream = 5, .first_index = first, .mean = 0.5, .deviation = 2.0});
      return std::vector<Floats>{y};
    });
    const auto* const begin = stream.data() + first;
    EXPECT_EQ(outputs[0], Floats(begin, begin + count)) << "from number " << first;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Fill, testing::Values(0, 1, 2, 17, 100'003));

}  // namespace
}  // namespace cairn::ops
