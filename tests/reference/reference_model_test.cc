// The reference model's backward against central differences of its loss, for every model type.
#include "tests/reference/reference_model.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "tests/reference/finite_difference.h"

namespace cairn::reference {
namespace {

using nn::ModelType;
using nn::RopeType;

struct Case {
  std::string name;
  ModelType type;
  RopeType rope;
  bool is_tied;
  bool has_documents;
};

nn::ModelConfig random_config(const Case& c, std::mt19937& random) {
  const auto draw = [&](int low, int high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  nn::ModelConfig config;
  config.type = c.type;
  config.vocab_size = draw(7, 13);
  config.num_hidden_layers = draw(1, 2);
  config.num_key_value_heads = draw(1, 2);
  config.num_attention_heads = config.num_key_value_heads * draw(1, 3);
  config.head_dim = 2 * draw(2, 4);
  config.hidden_size = draw(5, 11);
  config.intermediate_size = draw(6, 12);
  config.tie_word_embeddings = c.is_tied;
  config.rope = {c.rope, 50.0, 4.0, 1.0, 4.0, 32};
  return config;
}

Batch random_batch(const Case& c, const nn::ModelConfig& config, std::mt19937& random) {
  constexpr std::int64_t kB = 2;
  constexpr std::int64_t kT = 7;
  Batch batch = plain_batch(kB, kT, random_indices(random, kB * kT, config.vocab_size),
                            random_indices(random, kB * kT, config.vocab_size));
  batch.weight[3] = 0.0;
  if (!c.has_documents) {
    return batch;
  }
  // The first sequence holds documents of 3 and 4 tokens, the second of 6 and 1.
  const std::int32_t starts[] = {0, 0, 0, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0, 6};
  for (std::size_t n = 0; n < std::size(starts); ++n) {
    batch.first_key[n] = starts[n];
    batch.positions[n] -= starts[n];
  }
  return batch;
}

Parameters random_parameters(const nn::ModelConfig& config, std::mt19937& random) {
  Parameters parameters;
  for (const auto& [name, dims] : parameter_shapes(config)) {
    std::int64_t count = 1;
    for (const std::int64_t dim : dims) {
      count *= dim;
    }
    const bool is_norm = name.find("norm") != std::string::npos;
    Vector weight = random_vector(random, count, is_norm ? 0.2 : 0.5);
    for (double& w : weight) {
      w += is_norm ? 1.0 : 0.0;
    }
    parameters[name] = std::move(weight);
  }
  for (std::int64_t i = 0; config.type == ModelType::kApertus && i < config.num_hidden_layers; ++i) {
    // The real eps makes xIELU jump by 1e-6 at 0, which a difference of nearby points would see.
    parameters["model.layers." + std::to_string(i) + ".mlp.act_fn.eps"] = {-1e-30};
  }
  return parameters;
}

class ReferenceModel : public testing::TestWithParam<Case> {};

TEST_P(ReferenceModel, BackwardMatchesCentralDifferences) {
  std::mt19937 random(test_seed());
  for (int round = 0; round < 3; ++round) {
    const nn::ModelConfig config = random_config(GetParam(), random);
    const Batch batch = random_batch(GetParam(), config, random);
    Parameters parameters = random_parameters(config, random);
    Vector dloss = random_vector(random, batch.B * batch.T, 0.3);
    dloss[3] = 0.0;
    const Parameters gradients = model_backward(config, parameters, batch, dloss);
    ASSERT_EQ(gradients.size(), parameter_shapes(config).size());
    const auto objective = [&] { return dot(model_forward(config, parameters, batch).loss_N, dloss); };
    for (const auto& [name, gradient] : gradients) {
      expect_gradient(name, parameters.at(name), gradient, 4, random, objective);
    }
  }
}

class ReferenceDocuments : public testing::TestWithParam<Case> {};

TEST_P(ReferenceDocuments, AreIndependent) {
  std::mt19937 random(test_seed());
  const nn::ModelConfig config = random_config(GetParam(), random);
  const Batch packed = random_batch(GetParam(), config, random);
  const Parameters parameters = random_parameters(config, random);
  const Vector logits = model_forward(config, parameters, packed).logits_NV;
  // Rows 3 to 6 of the first sequence on their own.
  const Batch alone = plain_batch(1, 4, Indices(packed.tokens.begin() + 3, packed.tokens.begin() + 7),
                                  Indices(packed.targets.begin() + 3, packed.targets.begin() + 7));
  const Vector expected = model_forward(config, parameters, alone).logits_NV;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(logits[3 * static_cast<std::size_t>(config.vocab_size) + i], expected[i], 1e-12);
  }
}

const std::vector<Case> kPlain = {{"apertus", ModelType::kApertus, RopeType::kLlama3, false, false},
                                  {"llama", ModelType::kLlama, RopeType::kDefault, false, false},
                                  {"qwen3_tied", ModelType::kQwen3, RopeType::kDefault, true, false},
                                  {"olmo2", ModelType::kOlmo2, RopeType::kDefault, false, false}};
const std::vector<Case> kDocuments = {
    {"apertus_documents", ModelType::kApertus, RopeType::kDefault, false, true},
    {"llama_tied_linear_documents", ModelType::kLlama, RopeType::kLinear, true, true},
    {"mistral_documents", ModelType::kMistral, RopeType::kDefault, false, true},
    {"qwen3_documents", ModelType::kQwen3, RopeType::kLlama3, false, true},
    {"olmo2_documents", ModelType::kOlmo2, RopeType::kLlama3, false, true}};

std::string case_name(const testing::TestParamInfo<Case>& test) {
  return test.param.name;
}
INSTANTIATE_TEST_SUITE_P(Plain, ReferenceModel, testing::ValuesIn(kPlain), case_name);
INSTANTIATE_TEST_SUITE_P(Documents, ReferenceModel, testing::ValuesIn(kDocuments), case_name);
INSTANTIATE_TEST_SUITE_P(Documents, ReferenceDocuments, testing::ValuesIn(kDocuments), case_name);

TEST(ReferenceRope, Llama3ScalingByHand) {
  nn::ModelConfig config;
  config.head_dim = 8;
  config.rope = {RopeType::kLlama3, 1e4, 8.0, 1.0, 4.0, 1024};
  const Vector f = rope_inverse_frequency(config);
  // Wavelengths 6.28, 62.8, 628, 6283 against the limits 256 and 1024.
  EXPECT_NEAR(f[0], 1.0, 1e-15);
  EXPECT_NEAR(f[1], 0.1, 1e-15);
  const double smooth = (1024.0 / 628.31853071795865 - 1.0) / 3.0;
  EXPECT_NEAR(f[2], 0.01 * ((1.0 - smooth) / 8.0 + smooth), 1e-15);
  EXPECT_NEAR(f[3], 0.001 / 8.0, 1e-15);
}

}  // namespace
}  // namespace cairn::reference
