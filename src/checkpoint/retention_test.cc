#include "checkpoint/retention.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "doors/sim_file_system.h"
#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

using testing::holder;
using testing::kRunPath;
using testing::save_step;
using testing::step_path;
using Steps = std::vector<std::int64_t>;

std::vector<RetentionCandidate> good(const Steps& steps) {
  std::vector<RetentionCandidate> candidates;
  for (const std::int64_t step : steps) {
    candidates.push_back({step, true});
  }
  return candidates;
}

TEST(PlanRetention, KeepsTheLastAndTheMilestones) {
  const auto candidates = good({10, 20, 30, 40, 50, 60});
  EXPECT_EQ(plan_retention(candidates, {3, 0}), (Steps{10, 20, 30}));
  EXPECT_EQ(plan_retention(candidates, {3, 20}), (Steps{10, 30}));
  EXPECT_EQ(plan_retention(candidates, {1, 0}), (Steps{10, 20, 30, 40}));
  EXPECT_EQ(plan_retention(candidates, {0, 0}), Steps{});
  EXPECT_EQ(plan_retention(good({40}), {1, 0}), Steps{});
}

TEST(PlanRetention, DamagedOnesCountForNothing) {
  const std::vector<RetentionCandidate> candidates = {{60, false}, {50, true},  {40, false},
                                                      {30, true},  {20, false}, {10, true}};
  EXPECT_EQ(plan_retention(candidates, {2, 0}), (Steps{10, 20}));
  EXPECT_EQ(plan_retention(candidates, {3, 0}), (Steps{20}));
}

TEST(PlanRetention, NeverDeletesTheNewestTwoGoodOnes) {
  constexpr std::uint64_t kSeed = 99;
  RandomStream random(random_key(kSeed, "retention"), 0);
  for (int round = 0; round < 2000; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", kSeed, round));
    std::vector<RetentionCandidate> candidates;
    for (std::int64_t step = 1; step <= 12; ++step) {
      if (random.next_below(2) == 0) {
        candidates.push_back({step, random.next_below(3) != 0});
      }
    }
    const RetentionRules rules{static_cast<std::int64_t>(random.next_below(5)),
                               static_cast<std::int64_t>(random.next_below(4))};
    const Steps deleted = plan_retention(candidates, rules);
    Steps good_steps;
    for (const RetentionCandidate& candidate : candidates) {
      if (candidate.is_good) {
        good_steps.push_back(candidate.step);
      }
    }
    for (std::size_t i = good_steps.size() - std::min<std::size_t>(2, good_steps.size());
         i < good_steps.size(); ++i) {
      EXPECT_EQ(std::count(deleted.begin(), deleted.end(), good_steps[i]), 0);
    }
    EXPECT_TRUE(std::is_sorted(deleted.begin(), deleted.end()));
  }
}

TEST(Retention, ReadsWhatItHasNotSeenAndDeletesByTheRules) {
  SimFileSystem files(5);
  auto run = testing::begin_run(files, kRunPath, holder());
  ASSERT_TRUE(run.ok());
  for (const std::int64_t step : {10, 20, 30, 40}) {
    ASSERT_TRUE(save_step(files, *run, step).ok());
  }
  files.flip_bit(step_path(30) + "/model.safetensors", 500, 2);
  Retention retention(files, *run, {2, 0});
  retention.mark_good(40);
  EXPECT_EQ(*retention.plan(), (Steps{10}));
  EXPECT_TRUE(files.exists(step_path(10)));
  EXPECT_EQ(*retention.apply(), (Steps{10}));
  EXPECT_FALSE(files.exists(step_path(10)));
  for (const std::int64_t step : {20, 30, 40}) {
    EXPECT_TRUE(files.exists(step_path(step))) << step;
  }
}

// Interrupted anywhere, deletion leaves whole checkpoints under final names, the newest two always among them, and
// can be finished later. (Together with a save: writer_test.cc.)
TEST(Retention, PowerCutAtEveryOperationLeavesOnlyWholeCheckpoints) {
  const auto prepare = [](SimFileSystem& files) {
    auto run = testing::begin_run(files, kRunPath, holder());
    ASSERT_TRUE(run.ok());
    for (const std::int64_t step : {9, 10, 11, 12}) {
      ASSERT_TRUE(save_step(files, *run, step).ok());
    }
  };
  const auto prune = [](SimFileSystem& files) -> Status {
    TRY_ASSIGN(const RunFolder run, RunFolder::open(files, kRunPath, holder(2)));
    TRY(remove_rubbish(files, run));
    return Retention(files, run, {2, 0}).apply().status();
  };
  SimFileSystem counted(1);
  prepare(counted);
  const std::int64_t begin = counted.num_operations();
  ASSERT_TRUE(prune(counted).ok());
  const std::int64_t end = counted.num_operations();
  for (std::int64_t operation = begin; operation < end; ++operation) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      SCOPED_TRACE(fmt::format("operation {}, seed {}", operation, seed));
      SimFileSystem files(seed);
      prepare(files);
      files.stop_at(operation);
      EXPECT_FALSE(prune(files).ok());
      files.crash();
      files.clear_faults();
      auto steps = list_steps(files, kRunPath + "/checkpoints");
      ASSERT_TRUE(steps.ok());
      ASSERT_GE(steps->size(), 2U);
      EXPECT_EQ((*steps)[0].step, 12);
      EXPECT_EQ((*steps)[1].step, 11);
      for (const StepFolder& folder : *steps) {
        const auto manifest = verify_checkpoint(files, folder.path, "");
        EXPECT_TRUE(manifest.ok()) << manifest.status().message();
      }
      ASSERT_TRUE(prune(files).ok());
      EXPECT_EQ(files.list(kRunPath + "/checkpoints")->size(), 2U);
    }
  }
}

}  // namespace
}  // namespace cairn::checkpoint
