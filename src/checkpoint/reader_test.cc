#include "checkpoint/reader.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
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

constexpr std::uint64_t kSeed = 20260101;

// A run with some saved steps; the lock is given back.
class ReaderTest : public ::testing::Test {
 protected:
  void save(const std::vector<std::int64_t>& steps) {
    RunFolder run = open();
    for (const std::int64_t step : steps) {
      const Status status = save_step(files_, run, step);
      ASSERT_TRUE(status.ok()) << status.message();
    }
  }
  RunFolder open() {
    auto run = testing::begin_run(files_, kRunPath, holder());
    CHECK(run.ok(), run.status().message());
    return std::move(run).value();
  }
  Search search() {
    const RunFolder run = open();
    auto found = find_newest_good(files_, run.checkpoints_path(), run.run_id());
    CHECK(found.ok(), found.status().message());
    return std::move(found).value();
  }
  Status start_error(const StartRequest& request) {
    const RunFolder run = open();
    return decide_start(files_, run, request).status();
  }
  std::vector<std::string> files_of(std::int64_t step) {
    std::vector<std::string> paths;
    for (const std::string& listed : files_.all_files()) {
      const std::string path = listed.starts_with('/') ? listed : "/" + listed;
      if (path.starts_with(step_path(step) + "/")) {
        paths.push_back(path);
      }
    }
    return paths;
  }
  std::string read(const std::string& path) {
    auto text = files_.read_text(path);
    CHECK(text.ok(), text.status().message());
    return *text;
  }
  void overwrite(const std::string& path, const std::string& text) {
    ASSERT_TRUE(files_.remove_file(path).ok());
    testing::write_text(files_, path, text);
  }

  SimFileSystem files_{kSeed};
};

TEST_F(ReaderTest, StepsAreIntegersNotNames) {
  EXPECT_EQ(step_from_name("step-9"), 9);
  EXPECT_EQ(step_from_name("step-00000040"), 40);
  for (const char* name : {"step-", "step", "step-1a", "step--1", "step-+1", ".step-00000040.1.tmp", "Step-1",
                           "step-99999999999999999999", "step-1 "}) {
    EXPECT_FALSE(step_from_name(name).has_value()) << name;
  }
  save({9, 10});
  ASSERT_TRUE(files_.rename(step_path(9), kRunPath + "/checkpoints/step-9").ok());
  ASSERT_TRUE(files_.rename(step_path(10), kRunPath + "/checkpoints/step-10").ok());
  const Search found = search();
  ASSERT_TRUE(found.newest_good.has_value());
  EXPECT_EQ(found.newest_good->folder.step, 10);
  EXPECT_TRUE(found.damaged.empty());
}

TEST_F(ReaderTest, EveryBitFlipIsFoundWhereverItHits) {
  save({10, 20});
  RecordProperty("seed", static_cast<int>(kSeed));
  RandomStream random(random_key(kSeed, "bit flips"), 0);
  const std::vector<std::string> paths = files_of(20);
  ASSERT_GE(paths.size(), 8U);
  for (int i = 0; i < 4000; ++i) {
    const std::string& path = paths[random.next_below(paths.size())];
    const auto size = static_cast<std::uint64_t>(read(path).size());
    const auto offset = static_cast<std::int64_t>(random.next_below(size));
    const int bit = static_cast<int>(random.next_below(8));
    files_.flip_bit(path, offset, bit);
    const auto manifest = verify_checkpoint(files_, step_path(20), "");
    ASSERT_FALSE(manifest.ok()) << path << ", offset " << offset << ", bit " << bit;
    EXPECT_THAT(manifest.status().message(), HasSubstr(path));
    files_.flip_bit(path, offset, bit);
  }
  EXPECT_TRUE(verify_checkpoint(files_, step_path(20), "").ok());
}

TEST_F(ReaderTest, DamagedNewestIsNamedAndTheNewestGoodOneUsed) {
  save({10, 20, 30});
  files_.flip_bit(step_path(30) + "/training/exp_avg-00001-of-00001.safetensors", 300, 1);
  ASSERT_TRUE(files_.remove_file(step_path(20) + "/manifest.json").ok());
  const RunFolder run = open();
  const auto decision = decide_start(files_, run, {});
  ASSERT_TRUE(decision.ok()) << decision.status().message();
  EXPECT_EQ(decision->kind, StartKind::kResume);
  EXPECT_EQ(decision->step, 10);
  ASSERT_EQ(decision->damaged.size(), 2U);
  EXPECT_THAT(decision->damaged[0].reason, HasSubstr("exp_avg-00001-of-00001.safetensors"));
  EXPECT_THAT(decision->damaged[1].reason, HasSubstr("manifest.json"));
  EXPECT_THAT(decision->note, HasSubstr("step 30 was confirmed"));
  expect_restores(files_, decision->path, 10);
}

TEST_F(ReaderTest, TruncatedPaddedMissingAndSwappedFilesAreFound) {
  save({10, 20});
  ASSERT_GE(files_of(20).size(), 8U);
  int num_stale = 0;
  for (const std::string& path : files_of(20)) {
    SCOPED_TRACE(path);
    const std::string text = read(path);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, text.size() / 2, text.size() - 1}) {
      overwrite(path, text.substr(0, size));
      EXPECT_FALSE(verify_checkpoint(files_, step_path(20), "").ok()) << size;
    }
    overwrite(path, text + std::string(1, '\0'));
    EXPECT_FALSE(verify_checkpoint(files_, step_path(20), "").ok());
    ASSERT_TRUE(files_.remove_file(path).ok());
    EXPECT_FALSE(verify_checkpoint(files_, step_path(20), "").ok());
    testing::write_text(files_, path, text);
    ASSERT_TRUE(verify_checkpoint(files_, step_path(20), "").ok());
    // The same file of an older step; most have the same size. Equal bytes are the right bytes.
    const std::string stale = read(step_path(10) + path.substr(step_path(20).size()));
    num_stale += stale != text ? 1 : 0;
    overwrite(path, stale);
    EXPECT_EQ(verify_checkpoint(files_, step_path(20), "").ok(), stale == text);
    overwrite(path, text);
  }
  EXPECT_EQ(num_stale, 5);  // weights, two moments, state, manifest
  const std::string first = step_path(20) + "/training/exp_avg-00001-of-00001.safetensors";
  const std::string second = step_path(20) + "/training/exp_avg_sq-00001-of-00001.safetensors";
  const std::string text = read(first);
  overwrite(first, read(second));
  overwrite(second, text);
  EXPECT_FALSE(verify_checkpoint(files_, step_path(20), "").ok());
}

TEST_F(ReaderTest, OtherStepsAndOtherRunsAreFound) {
  save({10});
  // A stale folder under a newer name.
  ASSERT_TRUE(files_.rename(step_path(10), step_path(40)).ok());
  EXPECT_THAT(verify_checkpoint(files_, step_path(40), "").status().message(), HasSubstr("of step 10"));
  ASSERT_TRUE(files_.rename(step_path(40), step_path(10)).ok());
  EXPECT_THAT(verify_checkpoint(files_, step_path(10), "another").status().message(),
              HasSubstr("not of run"));
  // A manifest that claims another run, with a trailer that fits: the files' checksums know better.
  const std::string path = step_path(10) + "/manifest.json";
  auto manifest = manifest_from_json(read(path));
  ASSERT_TRUE(manifest.ok());
  manifest->run_id = "another";
  overwrite(path, manifest_to_json(*manifest));
  EXPECT_THAT(verify_checkpoint(files_, step_path(10), "another").status().message(), HasSubstr("checksum"));
}

TEST_F(ReaderTest, AutoStartsFreshOnlyWhenNothingWasConfirmed) {
  {
    const RunFolder run = open();
    EXPECT_EQ(decide_start(files_, run, {})->kind, StartKind::kFresh);
  }
  save({10});
  files_.flip_bit(step_path(10) + "/config.json", 1, 0);
  Status status = start_error({});
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_THAT(status.message(), HasSubstr("config.json"));
  ASSERT_TRUE(files_.remove_tree(step_path(10)).ok());
  status = start_error({});
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_THAT(status.message(), HasSubstr("step 10 was confirmed"));
}

TEST_F(ReaderTest, FreshRefusesAUsedFolder) {
  {
    const RunFolder run = open();
    EXPECT_TRUE(decide_start(files_, run, {LoadMode::kFresh, "", false}).ok());
  }
  EXPECT_TRUE(start_error({LoadMode::kFresh, "", false}).ok()) << "nothing was trained";
  save({10});
  EXPECT_EQ(start_error({LoadMode::kFresh, "", false}).code(), StatusCode::kBadConfig);
}

TEST_F(ReaderTest, AStartThatCannotBeIsRefusedBeforeAnythingIsTouched) {
  const StartRequest fresh{LoadMode::kFresh, "", false};
  const StartRequest missing{LoadMode::kPath, "/data/nowhere", false};
  EXPECT_EQ(check_start(files_, kRunPath, missing).code(), StatusCode::kNoInput);
  EXPECT_TRUE(check_start(files_, kRunPath, fresh).ok());
  EXPECT_TRUE(check_start(files_, kRunPath, {}).ok());
  EXPECT_FALSE(files_.exists("/data"));
  save({10});
  EXPECT_EQ(check_start(files_, kRunPath, fresh).code(), StatusCode::kBadConfig);
  EXPECT_THAT(check_start(files_, kRunPath, fresh).message(), HasSubstr(kRunPath));
  EXPECT_TRUE(check_start(files_, kRunPath, missing).ok()) << "the run goes on from its own step";
}

TEST_F(ReaderTest, ADiskThatDoesNotAnswerNeverCostsSteps) {
  save({10, 20});
  const RunFolder run = open();
  for (const StatusCode code : {StatusCode::kIo, StatusCode::kTransient}) {
    const std::int64_t begin = files_.num_operations();
    ASSERT_TRUE(decide_start(files_, run, {}).ok());
    const std::int64_t count = files_.num_operations() - begin;
    ASSERT_GT(count, 10);
    for (std::int64_t k = 0; k < count; ++k) {
      files_.fail_at(files_.num_operations() + k, {code, "the disk does not answer"});
      const auto found = find_newest_good(files_, run.checkpoints_path(), run.run_id());
      ASSERT_EQ(found.status().code(), code) << "operation " << k;
      EXPECT_THAT(found.status().message(), HasSubstr(run.checkpoints_path()));
      files_.fail_at(files_.num_operations() + k, {code, "the disk does not answer"});
      EXPECT_EQ(decide_start(files_, run, {}).status().code(), code) << "operation " << k;
    }
    files_.clear_faults();
  }
  EXPECT_EQ(decide_start(files_, run, {})->step, 20);
}

TEST_F(ReaderTest, WeightsOfACheckpointAreTheVerifiedMasterNotTheRoundedFiles) {
  SaveOptions options;
  options.model_dtype = DType::kBFloat16;
  RunFolder run = open();
  ASSERT_TRUE(save_step(files_, run, 10, options).ok());
  testing::TrainerState expected(10);
  Plan plan;
  std::vector<nn::Parameter> parameters;
  for (const NamedTensor& weight : expected.weights.views()) {
    nn::Parameter parameter;
    parameter.name = weight.name;
    parameter.shape = weight.view.shape();
    parameter.weight = plan.add({weight.name, parameter.shape, DType::kFloat32, Lifetime::kParameter});
    parameters.push_back(std::move(parameter));
  }
  plan.seal(1);
  auto memory = Memory::create(plan);
  ASSERT_TRUE(memory.ok());
  const auto load = [&] {
    return load_initial_weights(files_, step_path(10), parameters, testing::TrainerState::buffers(), *memory);
  };
  const auto num_equal = [&] {
    std::size_t count = 0;
    const auto loaded = weight_tensors(parameters, *memory);
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      const auto values = loaded[i].view.span<float>();
      count += std::equal(values.begin(), values.end(), expected.weights.values(i).begin()) ? 1U : 0U;
    }
    return count;
  };
  ASSERT_TRUE(load().ok()) << load().message();
  EXPECT_EQ(num_equal(), parameters.size());
  // A damaged master is an error, not a reason to take the rounded weights.
  const std::string master = step_path(10) + "/training/master-00001-of-00001.safetensors";
  files_.flip_bit(master, static_cast<std::int64_t>(read(master).size()) - 1, 6);
  EXPECT_EQ(load().code(), StatusCode::kBadData);
  EXPECT_THAT(load().message(), HasSubstr(master));
  // So is a manifest that is gone. Without the folder's name and manifest it is a model folder like any other.
  ASSERT_TRUE(files_.remove_file(step_path(10) + "/manifest.json").ok());
  EXPECT_EQ(load().code(), StatusCode::kBadData);
  ASSERT_TRUE(files_.rename(step_path(10), "/data/plain").ok());
  const Status plain =
      load_initial_weights(files_, "/data/plain", parameters, testing::TrainerState::buffers(), *memory);
  ASSERT_TRUE(plain.ok()) << plain.message();
  EXPECT_LT(num_equal(), parameters.size()) << "bfloat16 has fewer bits";
}

TEST_F(ReaderTest, PathNamesARunACheckpointOrAModel) {
  save({10, 20});
  auto other = testing::begin_run(files_, "/data/other", holder());
  ASSERT_TRUE(other.ok());
  const auto from_run = decide_start(files_, *other, {LoadMode::kPath, kRunPath, false});
  ASSERT_TRUE(from_run.ok()) << from_run.status().message();
  EXPECT_EQ(from_run->step, 20);
  const auto from_step = decide_start(files_, *other, {LoadMode::kPath, step_path(10), true});
  ASSERT_TRUE(from_step.ok()) << from_step.status().message();
  EXPECT_EQ(from_step->kind, StartKind::kWeightsOnly);
  const auto missing = decide_start(files_, *other, {LoadMode::kPath, "/data/nowhere", false});
  EXPECT_EQ(missing.status().code(), StatusCode::kNoInput);
  files_.flip_bit(step_path(10) + "/config.json", 1, 0);
  EXPECT_EQ(decide_start(files_, *other, {LoadMode::kPath, step_path(10), false}).status().code(),
            StatusCode::kBadData);
  // Once the run has a step of its own it goes on from that, so that a chain may repeat its command.
  ASSERT_TRUE(save_step(files_, *other, 5).ok());
  const auto own = decide_start(files_, *other, {LoadMode::kPath, kRunPath, false});
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(own->step, 5);
  EXPECT_THAT(own->note, HasSubstr("goes on from its own"));
}

TEST_F(ReaderTest, GoingBackInARunIsRefusedWhileNewerStepsStandThere) {
  save({10, 20});
  EXPECT_EQ(start_error({LoadMode::kPath, step_path(10), false}).code(), StatusCode::kBadConfig);
  ASSERT_TRUE(files_.rename(step_path(20), "/data/put-away").ok());
  EXPECT_TRUE(start_error({LoadMode::kPath, step_path(10), false}).ok());
}

TEST_F(ReaderTest, RestoreListsAllFaultsAndTouchesNothing) {
  save({10});
  testing::TrainerState target(77);
  const testing::TrainerState before(77);
  auto weights = target.weights.targets();
  weights[0].name = "model.other.weight";
  weights[2].view = weights[2].view.reshape({6, 4});
  const std::vector<MomentTargets> moments = {{"exp_avg", target.exp_avg.targets()},
                                              {"exp_avg_sq", target.exp_avg_sq.targets()}};
  const Status status = restore_tensors(files_, step_path(10), weights, {}, moments);
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  for (const char* part : {"model.other.weight", "model.embed_tokens.weight", "down_proj.weight", "beta"}) {
    EXPECT_THAT(status.message(), HasSubstr(part));
  }
  EXPECT_TRUE(target.weights.has_same_bits(before.weights));
  EXPECT_TRUE(target.exp_avg.has_same_bits(before.exp_avg));
  const std::vector<MomentTargets> fewer = {{"exp_avg", target.exp_avg.targets()}};
  EXPECT_THAT(restore_tensors(files_, step_path(10), target.weights.targets(),
                              testing::TrainerState::buffers(), fewer)
                  .message(),
              HasSubstr("exp_avg_sq"));
}

}  // namespace
}  // namespace cairn::checkpoint
