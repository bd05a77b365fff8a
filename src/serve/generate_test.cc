#include "serve/generate.h"

#include "tests/golden/model_fixture.h"

namespace cairn::serve {
namespace {

using test::ModelUse;
using test::TestModel;

TestModel decoder(std::int64_t prefill_rows, std::uint32_t seed) {
  return TestModel(test::small_config(nn::ModelType::kApertus),
                   {.B = 1, .T = prefill_rows, .use = ModelUse::kInference, .cache_rows = 20}, seed);
}

std::vector<std::int32_t> ids_of(TestModel& model, const GenerateOptions& options) {
  const std::vector<std::int32_t> prompt = {5, 6, 7, 8, 9};
  const auto generation = generate(model.model, model.last_logits(), prompt, options, nullptr);
  EXPECT_TRUE(generation.ok()) << generation.status().message();
  return generation.ok() ? generation->ids : std::vector<std::int32_t>{};
}

TEST(Generate, GreedyTakesTheLargestLogitOfTheWholeSequence) {
  const std::uint32_t seed = test::printed_seed();
  TestModel model = decoder(3, seed);
  const std::vector<std::int32_t> ids = ids_of(model, {.max_new_tokens = 8, .end_ids = {}, .sampling = {}});
  ASSERT_EQ(ids.size(), 8U);
  std::vector<std::int32_t> sequence = {5, 6, 7, 8, 9};
  sequence.insert(sequence.end(), ids.begin(), ids.end());
  TestModel whole(test::small_config(nn::ModelType::kApertus),
                  {.B = 1, .T = 13, .use = ModelUse::kEvaluation}, seed);
  for (std::int32_t t = 0; t < 13; ++t) {
    whole.tokens(0).data<std::int32_t>()[t] = sequence[static_cast<std::size_t>(t)];
    whole.positions(0).data<std::int32_t>()[t] = t;
    whole.first_key(0).data<std::int32_t>()[t] = 0;
  }
  whole.model.evaluate(whole.batch(0), whole.loss(0), whole.predicted(0));
  for (std::size_t t = 4; t + 1 < 13; ++t) {
    EXPECT_EQ(whole.predicted(0).data<std::int32_t>()[t], sequence[t + 1]);
  }
}

TEST(Generate, SamplingRepeatsWithItsSeed) {
  const std::uint32_t seed = test::printed_seed();
  const GenerateOptions options{
      .max_new_tokens = 12, .end_ids = {}, .sampling = {.temperature = 1.5, .top_k = 20, .seed = 5}};
  GenerateOptions other = options;
  other.sampling.seed = 6;
  TestModel one = decoder(5, seed);
  TestModel two = decoder(2, seed);
  const std::vector<std::int32_t> ids = ids_of(one, options);
  EXPECT_EQ(ids, ids_of(two, options));
  EXPECT_EQ(ids, ids_of(one, options));
  EXPECT_NE(ids, ids_of(one, other));
}

TEST(Generate, StopsForItsReasons) {
  TestModel model = decoder(5, test::printed_seed());
  const std::vector<std::int32_t> prompt = {5, 6, 7, 8, 9};
  GenerateOptions options{.max_new_tokens = 4, .end_ids = {}, .sampling = {}};
  const auto limited = generate(model.model, model.last_logits(), prompt, options, nullptr);
  ASSERT_TRUE(limited.ok());
  EXPECT_EQ(limited->ids.size(), 4U);
  EXPECT_EQ(limited->finish_reason, FinishReason::kMaxNewTokens);

  options.max_new_tokens = 1000;
  const auto full = generate(model.model, model.last_logits(), prompt, options, nullptr);
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full->finish_reason, FinishReason::kCacheFull);
  EXPECT_EQ(full->ids.size(), 16U);  // the last one needs no row: 5 + 15 rows are cached

  options.end_ids = {full->ids[2]};
  const auto ended = generate(model.model, model.last_logits(), prompt, options, nullptr);
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->finish_reason, FinishReason::kEnd);
  EXPECT_LE(ended->ids.size(), 3U);
  EXPECT_EQ(ended->ids.back(), full->ids[2]);

  options.end_ids = {};
  int num_seen = 0;
  const auto stopped = generate(model.model, model.last_logits(), prompt, options, [&](std::int32_t id) {
    EXPECT_EQ(id, full->ids[static_cast<std::size_t>(num_seen)]);
    return ++num_seen < 2;
  });
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped->finish_reason, FinishReason::kStopped);
  EXPECT_EQ(stopped->ids.size(), 2U);

  options.max_new_tokens = 0;
  EXPECT_TRUE(generate(model.model, model.last_logits(), prompt, options, nullptr)->ids.empty());
}

TEST(Generate, RefusesWhatItCannotRun) {
  TestModel model = decoder(5, 1);
  const auto code = [&](std::vector<std::int32_t> prompt, GenerateOptions options) {
    return generate(model.model, model.last_logits(), prompt, options, nullptr).status().code();
  };
  EXPECT_EQ(code({}, {}), StatusCode::kUsage);
  EXPECT_EQ(code({37}, {}), StatusCode::kUsage);
  EXPECT_EQ(code({-1}, {}), StatusCode::kUsage);
  EXPECT_EQ(code(std::vector<std::int32_t>(21, 1), {}), StatusCode::kUsage);
  EXPECT_EQ(code({1}, {.max_new_tokens = -1, .end_ids = {}, .sampling = {}}), StatusCode::kUsage);
  EXPECT_EQ(code({1}, {.max_new_tokens = 1, .end_ids = {}, .sampling = {.top_p = 2.0}}), StatusCode::kUsage);
}

}  // namespace
}  // namespace cairn::serve
