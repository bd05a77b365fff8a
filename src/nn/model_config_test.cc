#include "nn/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::nn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ModelConfig parse(std::string_view text) {
  Result<ModelConfig> config = model_config_from_json(text);
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? *config : ModelConfig{};
}

std::string faults_of(std::string_view text) {
  const Result<ModelConfig> config = model_config_from_json(text);
  EXPECT_FALSE(config.ok());
  if (config.ok()) {
    return "";
  }
  EXPECT_EQ(config.status().code(), StatusCode::kBadConfig);
  return config.status().message();
}

TEST(ModelConfig, ReadsTheSpellingOfTransformers4) {
  const ModelConfig config = parse(R"({"architectures": ["ApertusForCausalLM"], "attention_bias": false,
    "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": [68, 2], "hidden_act": "xielu", "hidden_dropout": 0.0,
    "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 21504, "max_position_embeddings": 65536,
    "mlp_bias": false, "model_type": "apertus", "num_attention_heads": 32, "num_hidden_layers": 32,
    "num_key_value_heads": 8, "pad_token_id": 3, "post_norm": false, "qk_norm": true, "rms_norm_eps": 1e-05,
    "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192, "rope_type": "llama3", "type": "llama3"}, "rope_theta": 500000,
    "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.56.0", "use_cache": true,
    "vocab_size": 131072})");
  EXPECT_EQ(config.type, ModelType::kApertus);
  EXPECT_EQ(config.head_dim, 128);
  EXPECT_EQ(config.rope.type, RopeType::kLlama3);
  EXPECT_EQ(config.rope.theta, 500000.0);
  EXPECT_EQ(config.rope.factor, 8.0);
  EXPECT_EQ(config.eos_token_id, 68);
  EXPECT_EQ(config.other_eos_token_ids, std::vector<std::int64_t>{2});
  EXPECT_EQ(num_parameters(config), 8'053'338'176);
}

TEST(ModelConfig, CountsTheParametersOfTheLargeModel) {
  ModelConfig config = ModelConfig::defaults(ModelType::kApertus);
  config.num_hidden_layers = 80;
  config.hidden_size = 8192;
  config.intermediate_size = 43008;
  config.num_attention_heads = 64;
  config.num_key_value_heads = 8;
  EXPECT_EQ(num_parameters(config), 70'599'864'480);
}

TEST(ModelConfig, FillsInTheDefaultsOfEachType) {
  const ModelConfig apertus = parse(R"({"model_type": "apertus"})");
  EXPECT_EQ(apertus.rope.type, RopeType::kLlama3);
  EXPECT_EQ(apertus.rope.theta, 12e6);
  EXPECT_EQ(apertus.num_key_value_heads, 32);
  const ModelConfig llama = parse(R"({"model_type": "llama", "hidden_size": 512, "num_attention_heads": 8})");
  EXPECT_EQ(llama.head_dim, 64);
  EXPECT_EQ(llama.num_key_value_heads, 8);
  EXPECT_EQ(llama.rms_norm_eps, 1e-6);
  EXPECT_EQ(llama.rope.theta, 10000.0);
  const ModelConfig qwen3 =
      parse(R"({"model_type": "qwen3", "hidden_size": 1024, "num_attention_heads": 32})");
  EXPECT_EQ(qwen3.head_dim, 128);
  const ModelConfig mistral = parse(R"({"model_type": "mistral", "sliding_window": null})");
  EXPECT_EQ(mistral.num_key_value_heads, 8);
  EXPECT_EQ(mistral.norm_placement(), NormPlacement::kPre);
  const ModelConfig olmo2 = parse(R"({"model_type": "olmo2"})");
  EXPECT_EQ(olmo2.norm_placement(), NormPlacement::kPost);
  EXPECT_EQ(olmo2.qk_norm(), QkNorm::kFullWidth);
  EXPECT_EQ(olmo2.eos_token_id, 50279);
}

TEST(ModelConfig, ReadsBothRopeSpellings) {
  const ModelConfig five = parse(
      R"({"model_type": "llama", "rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 2}})");
  const ModelConfig four = parse(
      R"({"model_type": "llama", "rope_theta": 500000.0, "rope_scaling": {"type": "linear", "factor": 2.0}})");
  EXPECT_EQ(five.rope.type, RopeType::kLinear);
  EXPECT_EQ(four.rope.type, RopeType::kLinear);
  EXPECT_EQ(five.rope.theta, four.rope.theta);
  EXPECT_EQ(five.rope.factor, four.rope.factor);
  EXPECT_EQ(parse(R"({"model_type": "apertus", "rope_theta": 1e6, "rope_scaling": null})").rope.type,
            RopeType::kDefault);
}

TEST(ModelConfig, RefusesEveryUnimplementedFieldAtOnce) {
  const std::string faults = faults_of(R"({"model_type": "llama", "attention_bias": true, "mlp_bias": true,
    "attention_dropout": 0.1, "hidden_act": "gelu", "quantization_config": {"bits": 4}, "head_dim": 63,
    "rope_scaling": {"rope_type": "yarn", "factor": 4.0}, "num_key_value_heads": 5, "logit_scale": 0.5,
    "vocab_size": "many", "sliding_window": 128, "layer_types": ["sliding_attention"]})");
  for (const char* name :
       {"attention_bias", "mlp_bias", "attention_dropout", "hidden_act", "quantization_config", "head_dim",
        "yarn", "num_key_value_heads", "logit_scale", "vocab_size", "sliding_window", "layer_types"}) {
    EXPECT_THAT(faults, HasSubstr(name));
  }
}

TEST(ModelConfig, RefusesWindowsThatTakeEffect) {
  EXPECT_THAT(faults_of(R"({"model_type": "mistral", "sliding_window": 4096})"), HasSubstr("sliding_window"));
  EXPECT_THAT(faults_of(R"({"model_type": "mistral"})"), HasSubstr("sliding_window"));
  parse(R"({"model_type": "mistral", "sliding_window": 4096, "max_position_embeddings": 4096})");
  parse(
      R"({"model_type": "qwen3", "sliding_window": 4096, "use_sliding_window": false, "max_window_layers": 28})");
  parse(
      R"({"model_type": "qwen3", "sliding_window": 4096, "use_sliding_window": true, "max_window_layers": 32})");
  EXPECT_THAT(faults_of(R"({"model_type": "qwen3", "sliding_window": 4096, "use_sliding_window": true})"),
              HasSubstr("sliding_window"));
}

TEST(ModelConfig, RefusesRopeThatIsNotImplemented) {
  const auto with_rope = [](const std::string& rope) {
    return R"({"model_type": "qwen3", "rope_parameters": )" + rope + "}";
  };
  for (const char* type : {"yarn", "dynamic", "longrope", "proportional", "mrope"}) {
    EXPECT_THAT(faults_of(with_rope(std::string(R"({"rope_theta": 1e6, "rope_type": ")") + type + "\"}")),
                HasSubstr(type));
  }
  EXPECT_THAT(faults_of(with_rope(R"({"rope_type": "default", "partial_rotary_factor": 0.5})")),
              HasSubstr("partial_rotary_factor"));
  EXPECT_THAT(faults_of(with_rope(R"({"rope_type": "llama3", "factor": 8})")), HasSubstr("high_freq_factor"));
  EXPECT_THAT(faults_of(with_rope(R"({"rope_type": "default", "attention_factor": 2})")),
              HasSubstr("attention_factor"));
  EXPECT_THAT(faults_of(R"({"model_type": "llama", "partial_rotary_factor": 0.25})"),
              HasSubstr("partial_rotary_factor"));
  EXPECT_THAT(faults_of(R"({"model_type": "llama", "rope_scaling": {"factor": 2}})"), HasSubstr("rope_type"));
}

TEST(ModelConfig, SuggestsTheKeyThatWasMeant) {
  EXPECT_THAT(faults_of(R"({"model_type": "llama", "hiden_size": 64})"), HasSubstr("hidden_size"));
  EXPECT_THAT(faults_of(R"({"model_type": "gpt2"})"), HasSubstr("gpt2"));
  EXPECT_THAT(faults_of(R"({})"), HasSubstr("model_type"));
  EXPECT_THAT(faults_of(R"([1])"), HasSubstr("array"));
}

TEST(ModelConfig, TakesNoNumberForASize) {
  for (const char* value : {"0", "-1", "1e30", "2.5", "9223372036854775807", "null", "[]"}) {
    const std::string text = std::string(R"({"model_type": "llama", "hidden_size": )") + value + "}";
    EXPECT_THAT(faults_of(text), HasSubstr("hidden_size")) << value;
  }
}

TEST(ModelConfig, WritesWhatItReads) {
  for (const ModelType type :
       {ModelType::kApertus, ModelType::kLlama, ModelType::kQwen3, ModelType::kMistral, ModelType::kOlmo2}) {
    ModelConfig config = ModelConfig::defaults(type);
    config.rope = {RopeType::kLlama3, 123456.0, 8.0, 1.5, 5.0, 77};
    config.eos_token_id = 5;
    config.other_eos_token_ids = {7, 9};
    config.bos_token_id.reset();
    config.head_dim = 96;
    config.tie_word_embeddings = true;
    const std::string text = model_config_to_json(config, "bfloat16");
    const ModelConfig back = parse(text);
    EXPECT_EQ(model_config_to_json(back, "bfloat16"), text);
    EXPECT_EQ(back.head_dim, 96);
    EXPECT_EQ(back.bos_token_id, std::nullopt);
    EXPECT_EQ(back.other_eos_token_ids, config.other_eos_token_ids);
    EXPECT_EQ(back.rope.low_freq_factor, 1.5);
    EXPECT_EQ(back.rope.original_max_position_embeddings, 77);
    EXPECT_EQ(num_parameters(back), num_parameters(config));
  }
}

TEST(ModelConfig, ChecksConfigurationsFromElsewhere) {
  ModelConfig config = ModelConfig::defaults(ModelType::kLlama);
  EXPECT_TRUE(check_model_config(config, "model.").empty());
  config.num_key_value_heads = 3;
  config.head_dim = 7;
  const Status status = check_model_config(config, "model.").to_status(StatusCode::kBadConfig, "run file:");
  EXPECT_THAT(status.message(), HasSubstr("model.num_key_value_heads"));
  EXPECT_THAT(status.message(), HasSubstr("model.head_dim"));
  EXPECT_THAT(status.message(), Not(HasSubstr("vocab_size")));
}

}  // namespace
}  // namespace cairn::nn
