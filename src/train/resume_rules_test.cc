#include "train/resume_rules.h"

#include <gtest/gtest.h>

namespace cairn::train {
namespace {

struct Case {
  Case() {
    facts.stage.seed = 28;
    facts.stage.sequence = 16;
    facts.stage.num_samples = 100;
    facts.stage.num_epochs = 1;
    facts.source = "/data/train";
    facts.source_fingerprint = "aa";
    facts.tokenizer_fingerprint = "bb";
    facts.model = nn::ModelConfig::defaults(nn::ModelType::kApertus);
    saved.stages = {facts.stage};
    saved.data_fingerprints = {{"/elsewhere/train", "aa"}};
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
  longer.facts.stage.num_samples = 900;
  EXPECT_TRUE(longer.check().ok());
  longer.facts.stage.num_epochs = 2;
  const Status status = longer.check();
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_NE(status.message().find("train.samples = 900"), std::string::npos) << status.message();
}

TEST(ResumeRules, AnotherOrderIsRefusedWithEveryReason) {
  Case other;
  other.facts.stage.seed = 99;
  other.facts.stage.sequence = 32;
  const Status status = other.check();
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_NE(status.message().find("data.stage.seed = 99"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("train.sequence = 32"), std::string::npos) << status.message();
}

TEST(ResumeRules, OtherDataOrAnotherTokenizerIsBadData) {
  Case data;
  data.facts.source_fingerprint = "cc";
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
