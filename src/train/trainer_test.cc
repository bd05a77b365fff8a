#include "train/trainer.h"

#include <gtest/gtest.h>

#include "tests/train/trainer_fixture.h"

namespace cairn::train {
namespace {

using test::Machine;
using test::tiny_run;
using When = test::TimedSignals::When;

TEST(Trainer, RunsToTheEndAndConfirmsTheLastStep) {
  Machine machine(1);
  const Status status = machine.train(tiny_run());
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(machine.state.step, 10);
  EXPECT_EQ(machine.state.consumed_samples, 60);
  EXPECT_EQ(machine.newest().substr(0, 3), "10 ");
}

TEST(Trainer, StopsAfterTheStepWithACheckpointWhenAsked) {
  for (const Signal signal : {Signal::kTerminate, Signal::kInterrupt, Signal::kUser2}) {
    Machine machine(1);
    machine.signals.raise(signal, When::kAfterFirstStep);
    const Status status = machine.train(tiny_run());
    EXPECT_EQ(status.code(), StatusCode::kStoppedSaved) << status.message();
    EXPECT_EQ(machine.state.step, 1);
    EXPECT_EQ(machine.newest().substr(0, 2), "1 ");
  }
}

TEST(Trainer, ARequestBeforeTheFirstStepSavesNothing) {
  Machine machine(1);
  machine.signals.raise(Signal::kTerminate, When::kBeforeStart);
  EXPECT_EQ(machine.train(tiny_run()).code(), StatusCode::kStoppedUnsaved);
  EXPECT_EQ(machine.newest(), "");
  machine.signals.raise(Signal::kUser2, When::kAfterFirstStep);
  EXPECT_EQ(machine.train(tiny_run()).code(), StatusCode::kStoppedSaved);
  machine.signals.raise(Signal::kTerminate, When::kBeforeStart);
  EXPECT_EQ(machine.train(tiny_run()).code(), StatusCode::kStoppedSaved)
      << "the resumed step is confirmed already";
  EXPECT_EQ(machine.newest().substr(0, 2), "1 ");
}

TEST(Trainer, ARunCutIntoOneStepPiecesEqualsTheWholeRun) {
  Machine whole(1);
  ASSERT_TRUE(whole.train(tiny_run()).ok());
  Machine pieces(1);
  pieces.signals.raise(Signal::kUser2, When::kAfterFirstStep);  // every attempt stops after its first step
  for (int step = 1; step < 10; ++step) {
    ASSERT_EQ(pieces.train(tiny_run()).code(), StatusCode::kStoppedSaved);
    ASSERT_EQ(pieces.state.step, step);
  }
  ASSERT_TRUE(pieces.train(tiny_run()).ok()) << "the last step ends the run: nothing is left to stop";
  EXPECT_EQ(pieces.newest(), whole.newest());
}

// Three stages: a mixture, one that continues with another source, one that starts anew; the batch doubles in between.
std::vector<std::string> staged() {
  return {"data.stage.0.source.0.weight=3.0",
          "data.stage.0.source.1.path=/data/held_out",
          "data.stage.0.source.1.weight=1.0",
          "data.stage.1.start_samples=20",
          "data.stage.1.seed=5",
          "data.stage.1.source.0.path=/data/train",
          "data.stage.2.start_samples=41",
          "data.stage.2.seed=6",
          "data.stage.2.order=restart",
          "data.stage.2.source.0.path=/data/train",
          "data.stage.2.source.1.path=/data/held_out",
          "data.stage.2.source.0.weight=1.0",
          "data.stage.2.source.1.weight=1.0",
          "train.ramp.start_batch=2",
          "train.ramp.increment=4",
          "train.ramp.samples=16"};
}

TEST(Trainer, StagesGoOnWhereTheyWereStoppedAndEndInTheSameRun) {
  Machine whole(1);
  ASSERT_TRUE(whole.train(tiny_run(staged())).ok());
  ASSERT_EQ(whole.state.step, 15);  // 8 of 2, 7 of 6
  Machine pieces(1);
  pieces.signals.raise(Signal::kUser2, When::kAfterFirstStep);
  for (int step = 1; step < 15; ++step) {
    ASSERT_EQ(pieces.train(tiny_run(staged())).code(), StatusCode::kStoppedSaved);
  }
  ASSERT_TRUE(pieces.train(tiny_run(staged())).ok());
  EXPECT_EQ(pieces.newest(), whole.newest());
}

TEST(Trainer, ACheckpointHoldsThePlaceInEveryStageAndSource) {
  Machine machine(1);
  ASSERT_TRUE(machine.train(tiny_run(staged())).ok());
  const auto search = checkpoint::find_newest_good(machine.files, "/run/checkpoints", "");
  const auto saved = checkpoint::read_train_state(machine.files, search->newest_good->folder.path).value();
  ASSERT_EQ(saved.stages.size(), 3U);
  EXPECT_EQ(saved.consumed_samples, 58);
  EXPECT_EQ(saved.stages[0].consumed_samples, 20);
  EXPECT_EQ(saved.stages[0].sources[0].consumed_samples, 15);
  EXPECT_EQ(saved.stages[0].sources[1].consumed_samples, 5);
  EXPECT_EQ(saved.stages[1].sources[0].first_sample, 15);
  EXPECT_EQ(saved.stages[1].sources[0].consumed_samples, 21);
  EXPECT_EQ(saved.stages[2].sources[0].first_sample, 0);
  EXPECT_EQ(saved.stages[2].consumed_samples, 17);
  EXPECT_EQ(saved.data_fingerprints.size(), 2U);
}

TEST(Trainer, AStageThatHasBegunDoesNotChange) {
  Machine machine(1);
  machine.signals.raise(Signal::kUser2, When::kAfterFirstStep);
  std::vector<std::string> changed = staged();
  ASSERT_EQ(machine.train(tiny_run(changed)).code(), StatusCode::kStoppedSaved);
  changed.push_back("data.stage.2.seed=7");  // not begun: allowed
  EXPECT_EQ(machine.train(tiny_run(changed)).code(), StatusCode::kStoppedSaved);
  changed.push_back("data.stage.0.source.1.weight=2.0");
  const Status status = machine.train(tiny_run(changed));
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_NE(status.message().find("data.stage.0.source.1.weight = 2"), std::string::npos) << status.message();
}

// The power goes at many operations of the run; the same command then goes on. Whatever the disk kept, the end is
// the undisturbed one.
TEST(Trainer, APowerCutAnywhereEndsInTheSameRun) {
  Machine undisturbed(1);
  ASSERT_TRUE(undisturbed.train(tiny_run()).ok());
  const std::string expected = undisturbed.newest();
  Machine counting(1);
  const std::int64_t first = counting.files.num_operations();
  ASSERT_TRUE(counting.train(tiny_run()).ok());
  const std::int64_t last = counting.files.num_operations();
  constexpr std::int64_t kStride = 7;  // coprime to the operations of a save: all kinds are hit
  int num_cuts = 0;
  int num_cut_runs = 0;
  for (std::int64_t operation = first; operation < last; operation += kStride) {
    Machine machine(static_cast<std::uint64_t>(operation));
    machine.files.stop_at(operation);
    ++num_cuts;
    num_cut_runs += machine.train(tiny_run()).ok() ? 0 : 1;
    machine.files.crash();
    const Status status = machine.train(tiny_run());
    EXPECT_TRUE(status.ok()) << "operation " << operation << ": " << status.message();
    EXPECT_EQ(machine.newest(), expected) << "operation " << operation;
  }
  EXPECT_GT(num_cut_runs, num_cuts * 9 / 10) << "only the closing of logs comes after the last checkpoint";
}

// Any one operation fails as on a full disk. Either the run ends with an error that says so, or it ends as if nothing
// had happened; a periodic save that failed is only said.
TEST(Trainer, AFullDiskEndsInAnErrorOrInTheSameRun) {
  Machine undisturbed(1);
  const std::int64_t first = undisturbed.files.num_operations();
  ASSERT_TRUE(undisturbed.train(tiny_run()).ok());
  const std::int64_t last = undisturbed.files.num_operations();
  int num_missed_saves = 0;
  for (std::int64_t operation = first; operation < last; operation += 5) {
    Machine machine(1);
    StringOutput text;
    HumanSink sink(text, false);
    machine.log.add_sink(sink, LogLevel::kInfo);
    machine.files.fail_at(operation, cannot_write("no space left on device"));
    const Status status = machine.train(tiny_run());
    if (status.ok()) {
      EXPECT_EQ(machine.newest(), undisturbed.newest()) << "operation " << operation;
      num_missed_saves +=
          text.text().find("checkpoint not saved; training goes on") != std::string::npos ? 1 : 0;
    } else {
      EXPECT_NE(status.message().find("no space left on device"), std::string::npos) << status.message();
    }
  }
  EXPECT_GT(num_missed_saves, 10);
}

TEST(Trainer, RefusesATrainerBesideALiveOne) {
  Machine machine(1);
  const RunConfig config = tiny_run();
  Result<std::unique_ptr<Trainer>> first = Trainer::open(config, machine.doors());
  ASSERT_TRUE(first.ok()) << first.status().message();
  const Result<std::unique_ptr<Trainer>> second = Trainer::open(config, machine.doors());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kTransient);
  EXPECT_NE(second.status().message().find("node"), std::string::npos) << second.status().message();
}

TEST(Trainer, RefusesToGoOnInAnotherOrder) {
  for (const char* change :
       {"data.stage.0.seed=5", "train.sequence=8", "train.samples=66", "model.rope.theta=9000"}) {
    Machine machine(1);
    machine.signals.raise(Signal::kUser2, When::kAfterFirstStep);
    ASSERT_EQ(machine.train(tiny_run()).code(), StatusCode::kStoppedSaved);
    const std::string before = machine.newest();
    EXPECT_EQ(machine.train(tiny_run({change})).code(), StatusCode::kBadConfig) << change;
    EXPECT_EQ(machine.newest(), before);
  }
}

TEST(Trainer, EvaluatesAtTheEndEvenWhenNothingElseAsksForIt) {
  Machine machine(1);
  ASSERT_TRUE(machine.train(tiny_run({"eval.set.0.name=held", "eval.set.0.path=/data/held_out"})).ok());
  const std::string records = machine.files.read_text("/run/metrics/eval.jsonl").value();
  EXPECT_EQ(std::ranges::count(records, '\n'), 1) << records;
  EXPECT_NE(records.find("\"step\": 10"), std::string::npos) << records;
}

TEST(Trainer, AHeldOutSetThatVanishesDoesNotEndTheRun) {
  Machine machine(1);
  const RunConfig config =
      tiny_run({"eval.set.0.name=held", "eval.set.0.path=/data/held_out", "eval.every=2"});
  Result<std::unique_ptr<Trainer>> trainer = Trainer::open(config, machine.doors());
  ASSERT_TRUE(trainer.ok()) << trainer.status().message();
  machine.files.truncate("/data/held_out.bin", 10);
  EXPECT_TRUE((*trainer)->run().ok());
  EXPECT_EQ((*trainer)->step(), 10);
  const std::string log = machine.files.read_text("/run/logs/1/rank-00000.log").value();
  EXPECT_NE(log.find("evaluation failed"), std::string::npos) << "warnings are in the run's own log";
}

TEST(Trainer, RefusesOtherDataThanTheCheckpointWasMadeWith) {
  Machine machine(1);
  machine.signals.raise(Signal::kUser2, When::kAfterFirstStep);
  ASSERT_EQ(machine.train(tiny_run()).code(), StatusCode::kStoppedSaved);
  const Status status = machine.train(tiny_run({"data.stage.0.source.0.path=/data/held_out"}));
  EXPECT_EQ(status.code(), StatusCode::kBadData) << status.message();
  EXPECT_NE(status.message().find("/data/held_out"), std::string::npos) << status.message();
}

TEST(Trainer, RefusesAStepWhoseGradientIsNotFinite) {
  Machine machine(1);
  // Rate times decay is 10: each step multiplies the weights by -9, until their squares overflow.
  const Status status = machine.train(tiny_run({"schedule.learning_rate=100", "train.samples=600"}));
  EXPECT_EQ(status.code(), StatusCode::kDiverged) << status.message();
  EXPECT_LT(machine.state.step, 50);
  const std::string records = machine.files.read_text("/run/metrics/train.jsonl").value();
  EXPECT_NE(records.find("\"nonfinite_steps\": 1"), std::string::npos) << "the refused step is recorded";
}

TEST(Trainer, ABatchRampCutIntoPiecesEqualsTheWholeRun) {
  // A ramp of 2, 4, 6 samples: one, two and three microbatches use the same buffers.
  const std::vector<std::string> ramp = {"train.ramp.start_batch=2", "train.ramp.increment=2",
                                         "train.ramp.samples=12"};
  Machine whole(1);
  ASSERT_TRUE(whole.train(tiny_run(ramp)).ok());
  Machine pieces(1);
  pieces.signals.raise(Signal::kUser2, When::kAfterFirstStep);
  Status status;
  do {
    status = pieces.train(tiny_run(ramp));
  } while (status.code() == StatusCode::kStoppedSaved);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(pieces.newest(), whole.newest());
}

}  // namespace
}  // namespace cairn::train
