#include "checkpoint/writer.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/retention.h"
#include "doors/sim_file_system.h"
#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

using testing::expect_restores;
using ::testing::HasSubstr;
using testing::holder;
using testing::kRunPath;
using testing::save_step;
using testing::step_path;
using testing::TrainerState;

constexpr std::uint64_t kNumSeeds = 6;

// What a run may be doing when it is interrupted.
struct Scenario {
  std::string name;
  std::vector<std::int64_t> saved_before;
  bool damages_target = false;  // step 30 stands there already, damaged
  DType model_dtype = DType::kFloat32;
  bool prunes = false;  // retention after the save: one good one more than the protected two
};

std::vector<Scenario> scenarios() {
  return {{"first save", {}, false, DType::kFloat32, false},
          {"second save", {20}, false, DType::kFloat32, false},
          {"bfloat16 export with a master", {20}, false, DType::kBFloat16, false},
          {"over a damaged one", {20, 30}, true, DType::kFloat32, false},
          {"save and retention", {5, 9, 10, 20}, false, DType::kFloat32, true}};
}

void prepare(SimFileSystem& files, const Scenario& scenario) {
  auto run = testing::begin_run(files, kRunPath, holder(1));
  ASSERT_TRUE(run.ok()) << run.status().message();
  for (const std::int64_t step : scenario.saved_before) {
    const Status status = save_step(files, *run, step);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  if (scenario.damages_target) {
    files.flip_bit(step_path(30) + "/model.safetensors", 200, 3);
  }
}

// The interrupted part: an attempt of its own, from opening the folder to retention.
Status attempt(SimFileSystem& files, const Scenario& scenario, bool& is_confirmed) {
  TRY_ASSIGN(RunFolder run, testing::begin_run(files, kRunPath, holder(2)));
  SaveOptions options;
  options.model_dtype = scenario.model_dtype;
  TRY(save_step(files, run, 30, options));
  is_confirmed = true;
  if (scenario.prunes) {
    Retention retention(files, run, {2, 10});
    retention.mark_good(30);
    TRY(retention.apply().status());
  }
  return ok_status();
}

// After any interruption: the newest readable checkpoint is the old one or the new one, whole; nothing that has a
// final name is half; the next attempt goes through and leaves no rubbish.
void expect_old_or_new(SimFileSystem& files, const Scenario& scenario, bool is_confirmed) {
  {
    auto run = testing::begin_run(files, kRunPath, holder(3));
    ASSERT_TRUE(run.ok()) << run.status().message();
    auto search = find_newest_good(files, run->checkpoints_path(), run->run_id());
    ASSERT_TRUE(search.ok()) << search.status().message();
    if (!scenario.damages_target) {
      ASSERT_TRUE(search->damaged.empty()) << search->damaged.front().reason;
    }
    if (scenario.saved_before.empty() && !search->newest_good) {
      ASSERT_FALSE(is_confirmed);
      auto decision = decide_start(files, *run, {});
      ASSERT_TRUE(decision.ok()) << decision.status().message();
      EXPECT_EQ(decision->kind, StartKind::kFresh);
    } else {
      ASSERT_TRUE(search->newest_good.has_value());
      const std::int64_t step = search->newest_good->folder.step;
      EXPECT_TRUE(step == 30 || (step == 20 && !is_confirmed)) << step;
      expect_restores(files, search->newest_good->folder.path, step);
    }
    auto steps = list_steps(files, run->checkpoints_path());
    ASSERT_TRUE(steps.ok());
    for (const StepFolder& folder : *steps) {
      if (!(scenario.damages_target && folder.step == 30)) {
        const auto manifest = verify_checkpoint(files, folder.path, run->run_id());
        EXPECT_TRUE(manifest.ok()) << manifest.status().message();
      }
    }
  }
  bool is_saved = false;
  const Status status = attempt(files, scenario, is_saved);
  ASSERT_TRUE(status.ok()) << status.message();
  expect_restores(files, step_path(30), 30);
  for (const std::string& path : files.all_files()) {
    EXPECT_EQ(path.find(".tmp"), std::string::npos) << path;
  }
}

struct OperationRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

OperationRange count_operations(const Scenario& scenario) {
  SimFileSystem files(1);
  prepare(files, scenario);
  const std::int64_t begin = files.num_operations();
  bool is_confirmed = false;
  const Status status = attempt(files, scenario, is_confirmed);
  EXPECT_TRUE(status.ok()) << status.message();
  return {begin, files.num_operations()};
}

TEST(Writer, PowerCutAtEveryOperationLeavesTheOldOrTheNewCheckpoint) {
  std::int64_t num_states = 0;
  for (const Scenario& scenario : scenarios()) {
    const OperationRange range = count_operations(scenario);
    ASSERT_GT(range.end - range.begin, 30);
    for (std::int64_t operation = range.begin; operation <= range.end; ++operation) {
      for (std::uint64_t seed = 1; seed <= kNumSeeds; ++seed) {
        SCOPED_TRACE(fmt::format("{}, operation {}, seed {}", scenario.name, operation, seed));
        SimFileSystem files(seed);
        prepare(files, scenario);
        files.stop_at(operation);
        bool is_confirmed = false;
        const Status status = attempt(files, scenario, is_confirmed);
        EXPECT_EQ(status.ok(), operation == range.end);
        files.crash();
        files.clear_faults();
        expect_old_or_new(files, scenario, is_confirmed);
        ++num_states;
        if (HasFatalFailure() || HasNonfatalFailure()) {
          return;
        }
      }
    }
  }
  RecordProperty("crash_states", static_cast<int>(num_states));
}

// An operation alone fails (no crash): the error says which file, everything older stays, the next try succeeds.
TEST(Writer, FailureOfEveryOperationIsReportedAndHarmless) {
  const std::vector<Status> failures = {cannot_write("No space left on device"),
                                        io_error("Input/output error"),
                                        cannot_write("Read-only file system")};
  for (const Scenario& scenario : scenarios()) {
    const OperationRange range = count_operations(scenario);
    for (std::int64_t operation = range.begin; operation < range.end; ++operation) {
      const Status& failure = failures[static_cast<std::size_t>(operation) % failures.size()];
      SCOPED_TRACE(fmt::format("{}, operation {}, {}", scenario.name, operation, failure.message()));
      SimFileSystem files(static_cast<std::uint64_t>(operation));
      prepare(files, scenario);
      files.fail_at(operation, failure);
      bool is_confirmed = false;
      const Status status = attempt(files, scenario, is_confirmed);
      if (!status.ok()) {
        EXPECT_THAT(status.message(), HasSubstr(failure.message()));
        EXPECT_THAT(status.message(), HasSubstr("/data/"));
      }
      files.clear_faults();
      expect_old_or_new(files, scenario, is_confirmed);
      if (HasFatalFailure() || HasNonfatalFailure()) {
        return;
      }
    }
  }
}

TEST(Writer, FullDiskIsSaidBeforeTheFirstByte) {
  SimFileSystem files(3);
  prepare(files, {"", {20}, false, DType::kFloat32, false});
  auto run = testing::begin_run(files, kRunPath, holder());
  ASSERT_TRUE(run.ok());
  const auto before = files.all_files();
  files.set_free_bytes(5000);
  const Status status = save_step(files, *run, 30);
  EXPECT_EQ(status.code(), StatusCode::kCannotWrite);
  EXPECT_THAT(status.message(), HasSubstr("5000"));
  EXPECT_EQ(files.all_files(), before);
}

TEST(Writer, EqualCheckpointCountsAsSavedAndOtherContentsAreRefused) {
  SimFileSystem files(4);
  auto run = testing::begin_run(files, kRunPath, holder());
  ASSERT_TRUE(run.ok());
  TrainerState trainer(30);
  ASSERT_TRUE(save_checkpoint(files, *run, trainer.snapshot(*run), {}).ok());
  trainer.state.elapsed_s += 5.0;
  EXPECT_TRUE(save_checkpoint(files, *run, trainer.snapshot(*run), {}).ok());
  trainer.weights.values(0)[0] += 1.0F;
  const Status status = save_checkpoint(files, *run, trainer.snapshot(*run), {});
  EXPECT_EQ(status.code(), StatusCode::kCannotWrite);
  EXPECT_THAT(status.message(), HasSubstr("never overwritten"));
  expect_restores(files, step_path(30), 30);
}

TEST(Writer, FoldersHoldWhatTheFormatSays) {
  SimFileSystem files(5);
  auto run = testing::begin_run(files, kRunPath, holder());
  ASSERT_TRUE(run.ok());
  ASSERT_TRUE(save_step(files, *run, 8).ok());
  EXPECT_EQ(*files.list(step_path(8)),
            (std::vector<std::string>{"config.json", "generation_config.json", "manifest.json",
                                      "model.safetensors", "tokenizer.json", "training"}));
  EXPECT_EQ(*files.list(step_path(8) + "/training"),
            (std::vector<std::string>{"exp_avg-00001-of-00001.safetensors",
                                      "exp_avg_sq-00001-of-00001.safetensors", "state.json"}));
  EXPECT_EQ(*files.read_text(step_path(8) + "/tokenizer.json"), testing::kTokenizerText);
  EXPECT_EQ(run->confirmed_step(), 8);

  SaveOptions options;
  options.model_dtype = DType::kBFloat16;
  options.shard_bytes_max = 100;
  ASSERT_TRUE(save_step(files, *run, 9, options).ok());
  auto manifest = verify_checkpoint(files, step_path(9), run->run_id());
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  EXPECT_EQ(manifest->master, "training/master");
  EXPECT_TRUE(files.exists(step_path(9) + "/model.safetensors.index.json"));
  EXPECT_TRUE(files.exists(step_path(9) + "/training/master-00001-of-00004.safetensors"));
  expect_restores(files, step_path(9), 9);
}

TEST(Writer, RealDiskRoundTripAndOneTrainerAtATime) {
  const auto files = make_real_file_system();
  const std::string path = ::testing::TempDir() + "cairn_writer_test";
  ASSERT_TRUE(files->remove_tree(path).ok());
  auto run = testing::begin_run(*files, path + "/deep/run", holder(1));
  ASSERT_TRUE(run.ok()) << run.status().message();
  const auto second = RunFolder::open(*files, path + "/deep/run", holder(2));
  EXPECT_EQ(second.status().code(), StatusCode::kTransient);
  EXPECT_THAT(second.status().message(), HasSubstr("node1"));
  for (const std::int64_t step : {9, 10}) {
    const TrainerState trainer(step);
    const Status status = save_checkpoint(*files, *run, trainer.snapshot(*run), {});
    ASSERT_TRUE(status.ok()) << status.message();
  }
  const auto decision = decide_start(*files, *run, {});
  ASSERT_TRUE(decision.ok()) << decision.status().message();
  EXPECT_EQ(decision->step, 10);
  expect_restores(*files, decision->path, 10);
  EXPECT_TRUE(files->remove_tree(path).ok());
}

TEST(Writer, TensorHashKnowsNoOrderButEveryBit) {
  TrainerState trainer(3);
  const std::vector<MomentTensors> moments = {{"exp_avg", trainer.exp_avg.views()}};
  auto views = trainer.weights.views();
  const Hash128 hash = hash_tensors(views, moments);
  std::swap(views[0], views[3]);
  EXPECT_EQ(hash_tensors(views, moments), hash);
  trainer.weights.values(2)[5] = -trainer.weights.values(2)[5];
  EXPECT_FALSE(hash_tensors(views, moments) == hash);
}

}  // namespace
}  // namespace cairn::checkpoint
