#include "data/run_order.h"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "base/allocation_counter.h"
#include "data/token_shard_writer.h"
#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

constexpr std::int64_t kSequence = 8;

class RunOrderTest : public testing::Test {
 protected:
  // A shard with room for about `num_samples` samples an epoch.
  void write(const std::string& prefix, std::int64_t num_samples) {
    TokenShardWriter writer = std::move(TokenShardWriter::create(files_, prefix, 1000)).value();
    for (std::int64_t i = 0; i < num_samples; ++i) {
      const std::vector<std::int32_t> ids(kSequence, static_cast<std::int32_t>(i % 1000));
      CHECK(writer.add_document(ids).ok(), "document refused");
    }
    CHECK(writer.finish().ok(), "shard not written");
  }
  Result<RunOrder> open(std::vector<Stage> stages, std::int64_t num_samples) {
    CHECK(check_stages(stages, num_samples, "").empty(), "stages with faults");
    RunOrderOptions options;
    options.stages = std::move(stages);
    options.num_samples = num_samples;
    options.sequence = kSequence;
    options.vocab_size = 1000;
    return RunOrder::open(files_, clock_, options);
  }

  SimFileSystem files_{1};
  SimClock clock_{0};
};

// No sample of an order twice, all of it in order, across stages, and every way of asking agrees.
void expect_consistent(const RunOrder& order) {
  std::map<std::int64_t, std::int64_t> next;  // of each order
  RunOrderCursor cursor(order);
  for (std::int64_t sample = 0; sample < order.num_samples(); ++sample) {
    const SamplePlace place = cursor.locate(sample);
    ASSERT_EQ(place.sample, next[place.order]++) << sample;
    ASSERT_EQ(order.find(place.order, place.sample), sample);
    const StageTaken taken = order.taken(place.stage, place.use, sample);
    ASSERT_EQ(taken.first_sample + taken.num_samples, place.sample);
    if (sample % 31 == 0) {
      RunOrderCursor fresh(order);
      ASSERT_EQ(fresh.locate(sample), place);
    }
  }
}

TEST_F(RunOrderTest, AStageThatContinuesRepeatsNothing) {
  write("a", 100);
  write("b", 300);
  write("c", 50);
  const RunOrder order = open({{0, 1, StageStart::kContinue, {{"a", 1.0}, {"b", 3.0}}},
                               {120, 2, StageStart::kContinue, {{"a", 1.0}, {"c", 1.0}}},
                               {180, 3, StageStart::kContinue, {{"b", {}}}}},
                              260)
                             .value();
  expect_consistent(order);
  EXPECT_EQ(order.sources().size(), 3U);
  EXPECT_EQ(order.stage_of(119), 0);
  EXPECT_EQ(order.stage_of(120), 1);
  EXPECT_EQ(order.taken(0, 0, 260).num_samples, 30);
  EXPECT_EQ(order.taken(1, 0, 260).first_sample, 30);
  EXPECT_EQ(order.taken(2, 0, 260).first_sample, 90);
  EXPECT_EQ(order.taken(2, 0, 100).num_samples, 0);
}

TEST_F(RunOrderTest, AStageThatRestartsBeginsAtItsOwnSampleZero) {
  write("a", 200);
  write("b", 200);
  const RunOrder order = open({{0, 28, StageStart::kContinue, {{"a", 1.0}, {"b", 1.0}}},
                               {100, 28, StageStart::kRestart, {{"a", 1.0}, {"b", 1.0}}}},
                              200)
                             .value();
  RunOrderCursor cursor(order);
  for (std::int64_t sample = 0; sample < 100; ++sample) {
    const SamplePlace first = cursor.locate(sample);
    const SamplePlace again = cursor.locate(sample + 100);
    EXPECT_EQ(first.sample, again.sample);
    EXPECT_EQ(first.use, again.use);
    EXPECT_NE(first.order, again.order);
  }
}

TEST_F(RunOrderTest, WithoutWeightsSourcesAreReadOnceInProportionToTheirSizes) {
  write("a", 101);
  write("b", 301);
  const std::int64_t all = 100 + 300;  // the last token predicts nothing
  const RunOrder order = open({{0, 1, StageStart::kContinue, {{"a", {}}, {"b", {}}}}}, all).value();
  expect_consistent(order);
  EXPECT_EQ(order.taken(0, 0, all).num_samples, 100);
  const Status status = open({{0, 1, StageStart::kContinue, {{"a", {}}, {"b", {}}}}}, all + 1).status();
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_NE(status.message().find("400 left"), std::string::npos) << status.message();
}

TEST_F(RunOrderTest, AShardThatChangesOrVanishesIsNamed) {
  write("a", 100);
  write("b", 300);
  const RunOrder order = open({{0, 1, StageStart::kContinue, {{"a", 1.0}, {"b", 3.0}}}}, 120).value();
  ASSERT_TRUE(order.check_unchanged(files_).ok());
  clock_.advance_ns(kNsPerSecond);
  files_.truncate("b.bin", 10);
  EXPECT_EQ(order.check_unchanged(files_).code(), StatusCode::kBadData);
  EXPECT_NE(order.check_unchanged(files_).message().find("'b.bin'"), std::string::npos);
  ASSERT_TRUE(files_.remove_file("b.bin").ok());
  EXPECT_EQ(order.check_unchanged(files_).code(), StatusCode::kNoInput);
}

TEST_F(RunOrderTest, ReadingAllocatesNothing) {
  write("a", 100);
  write("b", 300);
  const RunOrder order = open({{0, 1, StageStart::kContinue, {{"a", 1.0}, {"b", 3.0}}},
                               {120, 2, StageStart::kContinue, {{"a", 1.0}}}},
                              150)
                             .value();
  RunOrderCursor cursor(order);
  const std::uint64_t before = allocation_count().allocations;
  for (std::int64_t sample = 0; sample < 150; ++sample) {
    static_cast<void>(cursor.locate(sample));
  }
  EXPECT_EQ(allocation_count().allocations, before);
}

TEST_F(RunOrderTest, RandomStagesAreConsistent) {
  const std::uint32_t seed = 11;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> prefixes = {"a", "b", "c", "d"};
  for (const std::string& prefix : prefixes) {
    write(prefix, 20 + static_cast<std::int64_t>(random() % 100));
  }
  for (int round = 0; round < 30; ++round) {
    std::vector<Stage> stages;
    std::int64_t start = 0;
    for (std::size_t i = 0; i < 1 + random() % 4; ++i) {
      Stage stage = {start, static_cast<std::uint32_t>(random()), StageStart::kContinue, {}};
      for (const std::string& prefix : prefixes) {
        if (random() % 2 == 0) {
          stage.sources.push_back({prefix, 1.0 + static_cast<double>(random() % 9)});
        }
      }
      if (!stage.sources.empty()) {
        stages.push_back(std::move(stage));
        start += 1 + static_cast<std::int64_t>(random() % 200);
      }
    }
    if (!stages.empty()) {
      expect_consistent(open(std::move(stages), start).value());
    }
  }
}

}  // namespace
}  // namespace cairn::data
