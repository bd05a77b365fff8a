#include "checkpoint/run_folder.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doors/sim_file_system.h"
#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

using ::testing::HasSubstr;
using testing::holder;
using testing::kRunPath;

TEST(RunFolder, CreatesTheLayoutAndCountsAttempts) {
  SimFileSystem files(1);
  std::string run_id;
  {
    auto run = testing::begin_run(files, kRunPath, holder());
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_FALSE(run->was_used());
    EXPECT_EQ(run->attempt(), 1);
    EXPECT_EQ(run->run_id().size(), 16U);
    EXPECT_FALSE(run->confirmed_step().has_value());
    run_id = run->run_id();
    for (const char* folder :
         {"checkpoints", "triggers", "logs", "metrics", "tensorboard", "ledger", "jobs", "cache"}) {
      EXPECT_TRUE(files.is_directory(kRunPath + "/" + folder)) << folder;
    }
    ASSERT_TRUE(run->record_confirmed(12).ok());
    ASSERT_TRUE(run->write_run_file("[run]\n").ok());
  }
  files.crash();
  auto run = testing::begin_run(files, kRunPath, holder(8));
  ASSERT_TRUE(run.ok()) << run.status().message();
  EXPECT_TRUE(run->was_used());
  EXPECT_EQ(run->attempt(), 2);
  EXPECT_EQ(run->run_id(), run_id);
  EXPECT_EQ(run->confirmed_step(), 12);
  EXPECT_EQ(*files.read_text(run->run_file_path()), "[run]\n");
}

TEST(RunFolder, SecondLiveTrainerIsRefusedByName) {
  SimFileSystem files(2);
  auto first = RunFolder::open(files, kRunPath, {"nid001234", 4711, 1});
  ASSERT_TRUE(first.ok());
  const auto second = RunFolder::open(files, kRunPath, {"nid009999", 4712, 2});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kTransient);
  EXPECT_THAT(second.status().message(), HasSubstr("nid001234"));
  EXPECT_THAT(second.status().message(), HasSubstr("4711"));
}

TEST(RunFolder, ALockThatCannotBeTakenIsNoSecondTrainer) {
  for (const StatusCode code : {StatusCode::kIo, StatusCode::kCannotWrite}) {
    SimFileSystem files(7);
    ASSERT_TRUE(files.make_directories(kRunPath).ok());
    files.fail_at(files.num_operations(), {code, "no lock"});
    const auto run = testing::begin_run(files, kRunPath, holder());
    ASSERT_FALSE(run.ok());
    EXPECT_EQ(run.status().code(), code);
    EXPECT_THAT(run.status().message(), HasSubstr("run.lock"));
    EXPECT_EQ(run.status().message().find("already at work"), std::string::npos) << run.status().message();
  }
}

TEST(RunFolder, RunsHaveDifferentIds) {
  SimFileSystem files(3);
  auto a = RunFolder::open(files, "/a", holder());
  auto b = RunFolder::open(files, "/b", holder());
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->run_id(), b->run_id());
}

TEST(RunFolder, RunJsonIsRebuiltFromManifests) {
  for (const char* text : {"", "{", "{\"format\": \"cairn run\"}"}) {
    SCOPED_TRACE(text);
    SimFileSystem files(4);
    std::string run_id;
    {
      auto run = testing::begin_run(files, kRunPath, holder());
      ASSERT_TRUE(run.ok());
      run_id = run->run_id();
      ASSERT_TRUE(testing::save_step(files, *run, 10).ok());
    }
    testing::write_text(files, kRunPath + "/run.json", text);
    auto run = testing::begin_run(files, kRunPath, holder());
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_EQ(run->run_id(), run_id);
    EXPECT_EQ(run->attempt(), 2);
    EXPECT_EQ(run->confirmed_step(), 10);
    EXPECT_TRUE(run->was_used());
  }
}

TEST(RunFolder, OnlyTheLockIsMadeBeforeTheAttemptBegins) {
  SimFileSystem files(8);
  {
    auto run = RunFolder::open(files, kRunPath, holder());
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_EQ(*files.list(kRunPath), std::vector<std::string>{"run.lock"});
    EXPECT_FALSE(run->was_used());
    ASSERT_TRUE(run->begin_attempt().ok());
  }
  const std::string before = *files.read_text(kRunPath + "/run.json");
  {
    const auto run =
        RunFolder::open(files, kRunPath, holder());  // is refused by somebody: no begin_attempt()
    ASSERT_TRUE(run.ok()) << run.status().message();
    EXPECT_EQ(run->attempt(), 2);
    EXPECT_FALSE(run->was_used()) << "an attempt that has done nothing";
  }
  EXPECT_EQ(*files.read_text(kRunPath + "/run.json"), before);
  testing::write_text(files, kRunPath + "/metrics/train.jsonl", "");
  EXPECT_FALSE(RunFolder::open(files, kRunPath, holder())->was_used()) << "it failed before its first step";
  testing::write_text(files, kRunPath + "/metrics/train.jsonl", "{}\n");
  const auto run = RunFolder::open(files, kRunPath, holder());
  ASSERT_TRUE(run.ok()) << run.status().message();
  EXPECT_TRUE(run->was_used());
  EXPECT_EQ(run->attempt(), 2);
}

TEST(RunFolder, DamagedRunJsonWithoutCheckpointsIsAnError) {
  SimFileSystem files(5);
  ASSERT_TRUE(testing::begin_run(files, kRunPath, holder()).ok());
  testing::write_text(files, kRunPath + "/run.json", "{\"format\"");
  const auto run = testing::begin_run(files, kRunPath, holder());
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.status().code(), StatusCode::kBadData);
  EXPECT_THAT(run.status().message(), HasSubstr("run.json"));
}

TEST(RunFolder, TriggersAreSeenAndCleared) {
  SimFileSystem files(6);
  auto run = testing::begin_run(files, kRunPath, holder());
  ASSERT_TRUE(run.ok());
  EXPECT_FALSE(run->is_triggered(Trigger::kSave));
  testing::write_text(files, kRunPath + "/triggers/save", "");
  EXPECT_TRUE(run->is_triggered(Trigger::kSave));
  EXPECT_FALSE(run->is_triggered(Trigger::kExit));
  EXPECT_TRUE(run->clear_trigger(Trigger::kSave).ok());
  EXPECT_FALSE(run->is_triggered(Trigger::kSave));
  EXPECT_TRUE(run->clear_trigger(Trigger::kSave).ok());
}

}  // namespace
}  // namespace cairn::checkpoint
