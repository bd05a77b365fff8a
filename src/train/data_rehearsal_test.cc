#include "train/data_rehearsal.h"

#include <gtest/gtest.h>

#include "tests/train/trainer_fixture.h"

namespace cairn::train {
namespace {

RunConfig staged_run() {
  return test::tiny_run({"data.stage.0.source.0.weight=3.0", "data.stage.0.source.1.path=/data/held_out",
                         "data.stage.0.source.1.weight=1.0", "data.stage.1.start_samples=20",
                         "data.stage.1.source.0.path=/data/train", "train.ramp.start_batch=2",
                         "train.ramp.increment=4", "train.ramp.samples=16"});
}

std::string chain_of(test::Machine& machine, int num_readers) {
  ThreadPool pool(num_readers);
  auto rehearsal =
      DataRehearsal::open(machine.files, machine.clock, staged_run(), test::kVocabulary, "", pool).value();
  while (rehearsal->step() < rehearsal->num_steps()) {
    EXPECT_TRUE(rehearsal->read_step().ok());
  }
  EXPECT_EQ(rehearsal->tokens_read(), 58 * 17);
  return rehearsal->chain().to_hex();
}

TEST(DataRehearsal, ItsChainIsThatOfTheTraining) {
  test::Machine machine(1);
  ASSERT_TRUE(machine.train(staged_run()).ok());
  const std::string trained = machine.newest();
  const std::string chain = chain_of(machine, 1);
  EXPECT_TRUE(trained.ends_with(" " + chain)) << trained << " and " << chain;
  EXPECT_EQ(chain_of(machine, 2), chain);
  EXPECT_EQ(chain_of(machine, 5), chain);
}

TEST(DataRehearsal, GoesOnWithAnotherNumberOfReaders) {
  test::Machine machine(1);
  const std::string chain = chain_of(machine, 1);
  int num_readers = 0;
  std::int64_t step = 0;
  std::string last;
  while (last.empty()) {
    ThreadPool pool(1 + num_readers++ % 4);
    auto rehearsal =
        DataRehearsal::open(machine.files, machine.clock, staged_run(), test::kVocabulary, "/state", pool)
            .value();
    EXPECT_EQ(rehearsal->step(), step);
    if (rehearsal->step() == rehearsal->num_steps()) {
      last = rehearsal->chain().to_hex();
      continue;
    }
    ASSERT_TRUE(rehearsal->read_step().ok());
    step = rehearsal->step();
    ASSERT_TRUE(rehearsal->save().ok());
  }
  EXPECT_EQ(last, chain);
}

TEST(DataRehearsal, RefusesTheStateOfAnotherOrderAndNamesDamage) {
  test::Machine machine(1);
  ThreadPool pool(2);
  auto rehearsal =
      DataRehearsal::open(machine.files, machine.clock, staged_run(), test::kVocabulary, "/state", pool)
          .value();
  ASSERT_TRUE(rehearsal->save().ok());
  RunConfig other = staged_run();
  other.data.stage[1].seed = 3;
  EXPECT_EQ(DataRehearsal::open(machine.files, machine.clock, other, test::kVocabulary, "/state", pool)
                .status()
                .code(),
            StatusCode::kBadConfig);
  machine.files.truncate("/data/train.bin", 10);
  const Status status = rehearsal->read_step();
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_NE(status.message().find("/data/train.bin"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace cairn::train
