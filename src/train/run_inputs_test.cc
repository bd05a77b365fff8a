#include "train/run_inputs.h"

#include <gtest/gtest.h>

#include "tests/train/trainer_fixture.h"

namespace cairn::train {
namespace {

TEST(RunInputs, ARunOfBareIdsNeedsNoTokenizer) {
  SimFileSystem files(1);
  const Result<RunInputs> inputs = read_run_inputs(files, test::tiny_run());
  ASSERT_TRUE(inputs.ok()) << inputs.status().message();
  EXPECT_EQ(inputs->model.vocab_size, test::kVocabulary);
  EXPECT_FALSE(inputs->tokenizer.has_value());
  EXPECT_FALSE(inputs->eod_id.has_value());
  EXPECT_NE(inputs->model_files.config_json.find("\"ApertusForCausalLM\""), std::string::npos);
}

TEST(RunInputs, RulesThatNeedTheEndOfADocumentNeedATokenizer) {
  SimFileSystem files(1);
  const Result<RunInputs> inputs = read_run_inputs(files, test::tiny_run({"data.eod_loss=false"}));
  ASSERT_FALSE(inputs.ok());
  EXPECT_EQ(inputs.status().code(), StatusCode::kBadConfig);
  EXPECT_NE(inputs.status().message().find("tokenizer.file"), std::string::npos);
}

TEST(RunInputs, AModelFolderGivesConfigurationAndEndOfDocument) {
  SimFileSystem files(1);
  nn::ModelConfig model = nn::ModelConfig::defaults(nn::ModelType::kLlama);
  model.vocab_size = 64;
  model.hidden_size = 16;
  model.intermediate_size = 24;
  model.num_hidden_layers = 1;
  model.num_attention_heads = 2;
  model.num_key_value_heads = 1;
  model.head_dim = 8;
  model.max_position_embeddings = 32;
  model.eos_token_id = 2;
  ASSERT_TRUE(files.make_directories("/model").ok());
  ASSERT_TRUE(files.replace_text("/model/config.json", nn::model_config_to_json(model, "float32")).ok());
  RunConfig config = test::tiny_run({"data.eod_loss=false"});
  config.model.from = "/model";
  config.model.type.clear();
  const Result<RunInputs> inputs = read_run_inputs(files, config);
  ASSERT_TRUE(inputs.ok()) << inputs.status().message();
  EXPECT_EQ(inputs->model.type, nn::ModelType::kLlama);
  EXPECT_EQ(inputs->eod_id, 2);
  config.train.sequence = 33;
  EXPECT_EQ(read_run_inputs(files, config).status().code(), StatusCode::kBadConfig) << "33 of 32 positions";
}

TEST(RunInputs, AMissingTokenizerIsNamed) {
  SimFileSystem files(1);
  const Result<RunInputs> inputs =
      read_run_inputs(files, test::tiny_run({"tokenizer.file=/none/tokenizer.json"}));
  ASSERT_FALSE(inputs.ok());
  EXPECT_EQ(inputs.status().code(), StatusCode::kNoInput);
  EXPECT_NE(inputs.status().message().find("/none/tokenizer.json"), std::string::npos);
}

}  // namespace
}  // namespace cairn::train
