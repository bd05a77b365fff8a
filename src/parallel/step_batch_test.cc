#include "parallel/step_batch.h"

#include <algorithm>
#include <optional>

#include <gtest/gtest.h>

namespace cairn::parallel {
namespace {

// Two microbatches of two sequences of four tokens, masks all 1.
class StepBatchTest : public testing::Test {
 protected:
  StepBatchTest() : batch_(StepBatch::declare(2, 2, 4, plan_)) {
    plan_.seal(1);
    memory_.emplace(Memory::create(plan_).value());
    batch_.bind(*memory_);
    for (std::int64_t i = 0; i < batch_.num_samples_max(); ++i) {
      set_mask(i, 1.0F);
    }
  }
  void set_mask(std::int64_t sample, float value) {
    std::ranges::fill(batch_.microbatch(sample / 2).loss_mask_BT.rows(sample % 2, 1).span<float>(), value);
  }
  float dloss(std::size_t microbatch, std::size_t position) {
    return batch_.microbatches()[microbatch].dloss_BT.span<float>()[position];
  }

  Plan plan_;
  StepBatch batch_;
  std::optional<Memory> memory_;
};

TEST_F(StepBatchTest, MicrobatchMeansWeighHeavilyMaskedSequencesMore) {
  set_mask(0, 0.0F);  // microbatch 0 keeps 4 of 8 tokens
  EXPECT_EQ(batch_.fold_reduction(LossReduction::kMicrobatch, 2), 12);
  EXPECT_EQ(dloss(0, 0), 0.0F);
  EXPECT_EQ(dloss(0, 4), 1.0F / 8.0F);   // 1 / (4 tokens x 2 microbatches)
  EXPECT_EQ(dloss(1, 0), 1.0F / 16.0F);  // 1 / (8 tokens x 2 microbatches)
}

TEST_F(StepBatchTest, TokenMeanWeighsEveryTokenAlike) {
  set_mask(0, 0.0F);
  EXPECT_EQ(batch_.fold_reduction(LossReduction::kToken, 2), 12);
  EXPECT_EQ(dloss(0, 4), 1.0F / 12.0F);
  EXPECT_EQ(dloss(1, 7), 1.0F / 12.0F);
}

TEST_F(StepBatchTest, NothingToPredictGivesZeroNeverNan) {
  for (std::int64_t i = 0; i < 4; ++i) {
    set_mask(i, 0.0F);
  }
  for (const LossReduction reduction : {LossReduction::kMicrobatch, LossReduction::kToken}) {
    EXPECT_EQ(batch_.fold_reduction(reduction, 2), 0);
    EXPECT_EQ(dloss(0, 0), 0.0F);
    EXPECT_EQ(dloss(1, 7), 0.0F);
  }
}

TEST_F(StepBatchTest, TheFilledRowsAreWhatTheModelSees) {
  batch_.microbatch(1).tokens_BT.span<std::int32_t>()[1 * 4 + 2] = 77;
  EXPECT_EQ(batch_.microbatches()[1].batch.tokens_BT.span<std::int32_t>()[1 * 4 + 2], 77);
}

}  // namespace
}  // namespace cairn::parallel
