#include "checkpoint/compare.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doors/sim_file_system.h"
#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

using testing::kRunPath;
using testing::step_path;
using testing::TrainerState;

class CompareTest : public ::testing::Test {
 protected:
  // Saves `trainer` into a run of its own.
  std::string save(const std::string& run_path, const TrainerState& trainer) {
    auto run = testing::begin_run(files_, run_path, testing::holder());
    CHECK(run.ok(), run.status().message());
    const Status status = save_checkpoint(files_, *run, trainer.snapshot(*run), {});
    CHECK(status.ok(), status.message());
    return run_path;
  }
  SimFileSystem files_{1};
};

TEST_F(CompareTest, EqualTrainingsAreEqualWhateverTheRunAndTheTime) {
  TrainerState trainer(30);
  const std::string a = save("/a", trainer);
  trainer.state.elapsed_s += 1.0;
  const std::string b = save("/b", trainer);
  const auto comparison = compare_checkpoints(files_, a, b);
  ASSERT_TRUE(comparison.ok()) << comparison.status().message();
  EXPECT_TRUE(comparison->is_equal());
  EXPECT_EQ(comparison->tensors.size(), 5U + 2U + 5U + 5U);  // weights, buffers, two moments
  EXPECT_TRUE(comparison->has_state);
}

TEST_F(CompareTest, DifferencesAreMeasuredPerTensor) {
  TrainerState trainer(30);
  const std::string a = save("/a", trainer);
  trainer.weights.values(0)[3] += 0.25F;
  trainer.weights.values(0)[4] = -trainer.weights.values(0)[4];
  trainer.exp_avg.values(3)[0] = std::numeric_limits<float>::quiet_NaN();
  trainer.state.consumed_samples += 1;
  const std::string b = save("/b", trainer);
  const auto comparison = compare_checkpoints(files_, a, b);
  ASSERT_TRUE(comparison.ok()) << comparison.status().message();
  EXPECT_FALSE(comparison->is_equal());
  EXPECT_EQ(comparison->num_equal, 15);
  for (const TensorDifference& tensor : comparison->tensors) {
    if (tensor.group == "weights" && tensor.name == "model.embed_tokens.weight") {
      EXPECT_EQ(tensor.num_different, 2);
      EXPECT_GE(tensor.difference_max, 0.24);
    } else if (tensor.group == "exp_avg" && tensor.name == "model.norm.weight") {
      EXPECT_EQ(tensor.num_different, 1);
      EXPECT_EQ(tensor.difference_max, std::numeric_limits<double>::infinity());
    } else {
      EXPECT_TRUE(tensor.is_bitwise_equal) << tensor.group << " " << tensor.name;
    }
  }
  ASSERT_EQ(comparison->state_differences.size(), 1U);
  EXPECT_EQ(comparison->state_differences[0], "consumed_samples: 120, 121");
}

TEST_F(CompareTest, DamagedSideIsAnError) {
  const std::string a = save("/a", TrainerState(30));
  files_.flip_bit("/a/checkpoints/step-00000030/training/state.json", 20, 0);
  EXPECT_EQ(compare_checkpoints(files_, a, a).status().code(), StatusCode::kBadData);
  EXPECT_EQ(compare_checkpoints(files_, a, "/nowhere").status().code(), StatusCode::kBadData);
}

}  // namespace
}  // namespace cairn::checkpoint
