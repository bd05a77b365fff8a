#include "nn/parameter.h"

#include <set>

#include "tests/golden/model_fixture.h"

namespace cairn::nn {
namespace {

std::vector<std::string> names_of(ModelType type) {
  const test::TestModel model(test::small_config(type), {}, 1);
  std::vector<std::string> names;
  for (const Parameter& parameter : model.model.parameters()) {
    names.push_back(parameter.name);
  }
  return names;
}

TEST(Parameter, ApertusHasTheNamesOfItsCheckpointsInOrderOfUse) {
  const std::vector<std::string> names = names_of(ModelType::kApertus);
  const std::vector<std::string> first = {
      "model.embed_tokens.weight",
      "model.layers.0.attention_layernorm.weight",
      "model.layers.0.self_attn.q_proj.weight",
      "model.layers.0.self_attn.k_proj.weight",
      "model.layers.0.self_attn.v_proj.weight",
      "model.layers.0.self_attn.q_norm.weight",
      "model.layers.0.self_attn.k_norm.weight",
      "model.layers.0.self_attn.o_proj.weight",
      "model.layers.0.feedforward_layernorm.weight",
      "model.layers.0.mlp.up_proj.weight",
      "model.layers.0.mlp.act_fn.alpha_p",
      "model.layers.0.mlp.act_fn.alpha_n",
      "model.layers.0.mlp.down_proj.weight",
      "model.layers.1.attention_layernorm.weight",
  };
  ASSERT_GT(names.size(), first.size());
  EXPECT_EQ(
      std::vector<std::string>(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(first.size())),
      first);
  EXPECT_EQ(names[names.size() - 2], "model.norm.weight");
  EXPECT_EQ(names.back(), "lm_head.weight");
}

TEST(Parameter, EveryTypeCountsAsItsConfigurationSays) {
  for (const ModelType type : test::kAllTypes) {
    const ModelConfig config = test::small_config(type);
    const test::TestModel model(config, {}, 1);
    std::set<std::string> names;
    std::int64_t count = 0;
    for (const Parameter& parameter : model.model.parameters()) {
      EXPECT_TRUE(names.insert(parameter.name).second) << parameter.name << " twice";
      EXPECT_TRUE(parameter.gradient.is_valid());
      count += parameter.shape.num_elements();
    }
    EXPECT_EQ(count, num_parameters(config)) << model_type_name(type);
    EXPECT_EQ(names.contains("lm_head.weight"), !config.tie_word_embeddings);
  }
}

TEST(Parameter, OnlyXieluHasBuffers) {
  const test::TestModel apertus(test::small_config(ModelType::kApertus), {}, 1);
  ASSERT_EQ(apertus.model.buffers().size(), 4U);
  EXPECT_EQ(apertus.model.buffers()[0].name, "model.layers.0.mlp.act_fn.beta");
  EXPECT_EQ(apertus.model.buffers()[0].value, 0.5F);
  EXPECT_EQ(apertus.model.buffers()[1].name, "model.layers.0.mlp.act_fn.eps");
  EXPECT_EQ(apertus.model.buffers()[1].value, -1e-6F);
  const test::TestModel llama(test::small_config(ModelType::kLlama), {}, 1);
  EXPECT_TRUE(llama.model.buffers().empty());
}

}  // namespace
}  // namespace cairn::nn
