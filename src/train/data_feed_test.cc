#include "train/data_feed.h"

#include <gtest/gtest.h>

#include "tests/train/trainer_fixture.h"

namespace cairn::train {
namespace {

constexpr std::int64_t kSequence = 16;

DataFeed open_feed(FileSystem& files) {
  SimClock clock(0);
  data::RunOrderOptions options;
  options.stages = {{0, 28, data::StageStart::kContinue, {{"/data/train", {}}}}};
  options.num_samples = 40;
  options.sequence = kSequence;
  options.vocab_size = test::kVocabulary;
  Result<data::RunOrder> order = data::RunOrder::open(files, clock, options);
  EXPECT_TRUE(order.ok()) << order.status().message();
  data::BatchOptions batch;
  batch.eod_loss = data::EodLoss::kKeep;
  return DataFeed(std::move(order).value(), batch);
}

struct Batch {
  explicit Batch(std::int64_t num_microbatches)
      : step(parallel::StepBatch::declare(num_microbatches, 2, kSequence, plan)) {
    plan.seal(1);
    memory = std::make_unique<Memory>(Memory::create(plan).value());
    step.bind(*memory);
  }
  std::vector<std::int32_t> tokens(std::int64_t microbatch) {
    const auto span = step.microbatch(microbatch).tokens_BT.span<std::int32_t>();
    return {span.begin(), span.end()};
  }
  Plan plan;
  parallel::StepBatch step;
  std::unique_ptr<Memory> memory;
};

TEST(DataFeed, SamplesFollowTheRunHoweverStepsAreCut) {
  test::Machine machine(1);
  DataFeed whole = open_feed(machine.files);
  DataFeed cut = open_feed(machine.files);
  Batch two(2);
  Batch one(1);
  ASSERT_TRUE(whole.fill(0, 2, two.step).ok());
  ASSERT_TRUE(cut.fill(0, 1, one.step).ok());
  EXPECT_EQ(one.tokens(0), two.tokens(0));
  EXPECT_NE(cut.chain(), whole.chain());
  ASSERT_TRUE(cut.fill(2, 1, one.step).ok());
  EXPECT_EQ(one.tokens(0), two.tokens(1));
  EXPECT_EQ(cut.chain(), whole.chain()) << "the chain is over samples, not over steps";
}

TEST(DataFeed, TargetsAreTheNextTokens) {
  test::Machine machine(1);
  DataFeed feed = open_feed(machine.files);
  Batch batch(1);
  ASSERT_TRUE(feed.fill(3, 1, batch.step).ok());
  const auto tokens = batch.step.microbatch(0).tokens_BT.span<std::int32_t>();
  const auto targets = batch.step.microbatch(0).targets_BT.span<std::int32_t>();
  for (std::size_t t = 0; t + 1 < static_cast<std::size_t>(kSequence); ++t) {
    EXPECT_EQ(targets[t], tokens[t + 1]);
  }
}

TEST(DataFeed, AShardCutWhileTrainingIsAnErrorThatNamesTheFile) {
  test::Machine machine(1);
  DataFeed feed = open_feed(machine.files);
  Batch batch(1);
  machine.files.truncate("/data/train.bin", 10);
  const Status status = feed.fill(0, 1, batch.step);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("/data/train.bin"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace cairn::train
