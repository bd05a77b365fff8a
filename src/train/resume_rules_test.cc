#include "train/resume_rules.h"

#include <gtest/gtest.h>

namespace cairn::train {
namespace {

struct Case {
  Case() {
    facts.stages = {
        {0, 0, 16, {{"/data/train", 3.0, 0, 0, 28, 100, 1}, {"/data/more", 1.0, 0, 0, 28, 30, 2}}},
        {80, 0, 16, {{"/data/train", 0.0, 60, 0, 28, 100, 1}}}};
    facts.data_fingerprints = {{"/data/train", "aa"}, {"/data/more", "dd"}};
    facts.tokenizer_fingerprint = "bb";
    facts.model = nn::ModelConfig::defaults(nn::ModelType::kApertus);
    saved.consumed_samples = 40;
    saved.stages = {facts.stages[0]};
    saved.stages[0].sources[0].source = "/elsewhere/train";
    saved.data_fingerprints = {{"/elsewhere/train", "aa"}, {"/data/more", "dd"}};
    saved.tokenizer_fingerprint = "bb";
    saved_model = facts.model;
  }
  Status check() const { return check_resume(saved, saved_model, facts, "step-00000040"); }

  ResumeFacts facts;
  checkpoint::TrainState saved;
  nn::ModelConfig saved_model;
};

TEST(ResumeRules, TheSameRunGoesOnWhereverItsShardLies) {
  EXPECT_TRUE(Case().check().ok());
}

TEST(ResumeRules, ALongerRunOfOneEpochIsTheSameOrder) {
  Case longer;
  longer.facts.stages[0].sources[0].num_samples = 900;
  EXPECT_TRUE(longer.check().ok());
  longer.facts.stages[0].sources[0].num_epochs = 2;
  const Status status = longer.check();
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_NE(status.message().find("train.samples = 900"), std::string::npos) << status.message();
}

TEST(ResumeRules, AnotherOrderIsRefusedWithEveryReason) {
  Case other;
  other.facts.stages[0].sources[0].seed = 99;
  other.facts.stages[0].sequence = 32;
  const Status status = other.check();
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_NE(status.message().find("data.stage.0.seed = 99"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("train.sequence = 32"), std::string::npos) << status.message();
}

TEST(ResumeRules, StagesThatHaveNotBegunMayChangeAndOthersMayNot) {
  Case future;
  future.facts.stages[1].start_samples = 50;
  future.facts.stages[1].sources[0].seed = 5;
  EXPECT_TRUE(future.check().ok());
  future.facts.stages[1].start_samples = 39;  // would have begun
  EXPECT_NE(future.check().message().find("data.stage.1.start_samples = 39"), std::string::npos);
  Case weight;
  weight.facts.stages[0].sources[1].weight = 2.0;
  EXPECT_NE(weight.check().message().find("data.stage.0.source.1.weight = 2"), std::string::npos);
  Case fewer;
  fewer.facts.stages.resize(1);
  fewer.saved.stages.push_back(fewer.saved.stages[0]);
  EXPECT_EQ(fewer.check().code(), StatusCode::kBadConfig);
}

TEST(ResumeRules, OtherDataOrAnotherTokenizerIsBadData) {
  Case data;
  data.facts.data_fingerprints[1].fingerprint = "cc";
  EXPECT_EQ(data.check().code(), StatusCode::kBadData);
  Case tokenizer;
  tokenizer.facts.tokenizer_fingerprint = "cc";
  EXPECT_EQ(tokenizer.check().code(), StatusCode::kBadData);
}

TEST(ResumeRules, AModelThatMeansSomethingElseIsRefused) {
  Case other;
  other.facts.model.rope.theta *= 2;  // the same shapes
  const Status status = other.check();
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_NE(status.message().find("config.json"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace cairn::train
