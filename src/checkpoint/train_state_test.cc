#include "checkpoint/train_state.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

using ::testing::HasSubstr;

TEST(TrainState, SurvivesTheRoundTripExactly) {
  TrainState state = testing::TrainerState(41).state;
  state.run_id = "abc";
  state.elapsed_s = 1.0 / 3.0;
  state.schedule.learning_rate = 0x1.fffffffffffffp-10;
  state.stages[0].sources[0].source = "a \"quoted\"\npath/\xC3\xA4.bin";
  const auto read = train_state_from_json(train_state_to_json(state));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(*read == state);
}

TEST(TrainState, AllFaultsAreListed) {
  std::string text = train_state_to_json(testing::TrainerState(41).state);
  const auto replace = [&](const std::string& from, const std::string& to) {
    ASSERT_NE(text.find(from), std::string::npos) << from;
    text.replace(text.find(from), from.size(), to);
  };
  replace("\"step\": 41", "\"step\": \"41\"");
  replace("\"consumed_tokens\"", "\"consumed_token\"");
  replace("\"optimizer_step\": 41", "\"optimizer_step\": 41.0");
  replace("\"seed\": 18000000000000000000", "\"seed\": -1");
  replace("\"sequence\": 16", "\"sequence\": -16");
  replace("\"num_samples\"", "\"samples\"");
  replace("\"num_epochs\": 2", "\"num_epochs\": 2.5");
  replace("\"warmup_samples\": 10", "\"warmup_samples\": null");
  replace("\"fingerprint\": \"aa\"", "\"fingerprint\": 3");
  const auto read = train_state_from_json(text);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().code(), StatusCode::kBadData);
  for (const char* field :
       {"step", "consumed_tokens", "consumed_token", "optimizer_step", "seed", "stages[0].sequence",
        "stages[0].sources[0].num_samples", "stages[0].sources[0].samples", "stages[0].sources[0].num_epochs",
        "schedule.warmup_samples", "data_fingerprints[0].fingerprint"}) {
    EXPECT_THAT(read.status().message(), HasSubstr(field));
  }
}

TEST(TrainState, WhatTheDataOrderDependsOnMakesAStageAnotherOne) {
  const TrainState state = testing::TrainerState(41).state;
  for (std::int64_t SourcePosition::*field : {&SourcePosition::seed, &SourcePosition::first_sample,
                                              &SourcePosition::num_samples, &SourcePosition::num_epochs}) {
    TrainState other = state;
    other.stages[0].sources[1].*field += 1;
    const auto read = train_state_from_json(train_state_to_json(other));
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_TRUE(*read == other);
    EXPECT_FALSE(*read == state);
  }
}

TEST(TrainState, AStateOfVersionOneIsRead) {
  TrainState state = testing::TrainerState(41).state;
  state.stages[0].sources = {{"a.bin", 0.0, 0, 164, 1234, 4000, 2}};
  std::string text = train_state_to_json(state);
  const auto replace = [&](const std::string& from, const std::string& to) {
    ASSERT_NE(text.find(from), std::string::npos) << from << text;
    text.replace(text.find(from), from.size(), to);
  };
  replace("\"version\": 2", "\"version\": 1");
  const std::size_t begin = text.find("\"sources\"");
  text.replace(begin, text.find(']', begin) - begin + 1,
               R"("seed": 1234, "num_samples": 4000, "num_epochs": 2,
                  "sources": [{"source": "a.bin", "consumed_samples": 164}])");
  const auto read = train_state_from_json(text);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(*read == state);
}

TEST(TrainState, OtherJsonIsRefused) {
  for (const char* text :
       {"", "{}", "[]", "null", "{\"format\": \"cairn train state\"", "{\"step\": 1, \"step\": 2}"}) {
    const auto read = train_state_from_json(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.status().code(), StatusCode::kBadData) << text;
  }
}

}  // namespace
}  // namespace cairn::checkpoint
