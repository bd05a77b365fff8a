#include "train/run_inputs.h"

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/log.h"
#include "tests/train/trainer_fixture.h"
#include "tokenizer/byte_alphabet.h"

namespace cairn::train {
namespace {

TEST(RunInputs, ARunOfBareIdsNeedsNoTokenizer) {
  SimFileSystem files(1);
  const Result<RunInputs> inputs = read_run_inputs(files, test::tiny_run());
  ASSERT_TRUE(inputs.ok()) << inputs.status().message();
  EXPECT_EQ(inputs->model.vocab_size, test::kVocabulary);
  EXPECT_EQ(inputs->tokenizer_vocab_size, 0);
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

// A byte-level tokenizer without merges: `num_special` special tokens, then the 256 bytes.
std::string tokenizer_json(int num_special) {
  std::string added, vocab;
  for (int id = 0; id < num_special; ++id) {
    vocab += fmt::format(R"("<{}>": {}, )", id, id);
    added += fmt::format(
        R"({}{{"id": {}, "content": "<{}>", "single_word": false, "lstrip": false, "rstrip": false,)"
        R"( "normalized": false, "special": true}})",
        id == 0 ? "" : ", ", id, id);
  }
  for (int byte = 0; byte < 256; ++byte) {
    const char value = static_cast<char>(byte);
    std::string quoted;
    append_json_string(quoted, tokenizer::bytes_to_letters(std::string_view(&value, 1)));
    vocab += fmt::format("{}{}: {}", byte == 0 ? "" : ", ", quoted, num_special + byte);
  }
  return fmt::format(
      R"({{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{}], "normalizer": null,)"
      R"( "pre_tokenizer": {{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}},)"
      R"( "post_processor": null, "decoder": {{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,)"
      R"( "use_regex": true}}, "model": {{"type": "BPE", "dropout": null, "unk_token": null,)"
      R"( "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,)"
      R"( "ignore_merges": false, "vocab": {{{}}}, "merges": []}}}})",
      added, vocab);
}

TEST(RunInputs, CheckpointsGetTheTokenizerThatWasParsedWhateverItsName) {
  SimFileSystem files(1);
  ASSERT_TRUE(files.make_directories("/tk").ok());
  ASSERT_TRUE(files.replace_text("/tk/mine.json", tokenizer_json(3)).ok());
  ASSERT_TRUE(files.replace_text("/tk/tokenizer.json", tokenizer_json(5)).ok());
  ASSERT_TRUE(files.replace_text("/tk/tokenizer_config.json", "{}").ok());
  const Result<RunInputs> inputs =
      read_run_inputs(files, test::tiny_run({"tokenizer.file=/tk/mine.json", "model.vocab_size=0"}));
  ASSERT_TRUE(inputs.ok()) << inputs.status().message();
  EXPECT_EQ(inputs->tokenizer_vocab_size, 259);
  EXPECT_EQ(inputs->tokenizer_fingerprint, xxh3_128(tokenizer_json(3)).to_hex());
  ASSERT_TRUE(files.remove_tree("/tk").ok());  // the run has read what it needs
  ASSERT_EQ(inputs->model_files.tokenizer_files.size(), 2U);
  for (const checkpoint::ModelFiles::Text& file : inputs->model_files.tokenizer_files) {
    EXPECT_EQ(file.text, file.name == "tokenizer.json" ? tokenizer_json(3) : "{}") << file.name;
  }
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
