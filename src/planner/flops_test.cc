#include "planner/flops.h"

#include <gtest/gtest.h>

namespace cairn::planner {
namespace {

nn::ModelConfig apertus_70b() {
  nn::ModelConfig config;
  config.type = nn::ModelType::kApertus;
  config.vocab_size = 131072;
  config.hidden_size = 8192;
  config.intermediate_size = 43008;
  config.num_hidden_layers = 80;
  config.num_attention_heads = 64;
  config.num_key_value_heads = 8;
  config.head_dim = 128;
  config.max_position_embeddings = 4096;
  return config;
}

TEST(TrainingFlops, MegatronsCountIsItsFormula) {
  const double B = 1;
  const double s = 4096;
  const double L = 80;
  const double d = 8192;
  const double expected =
      12 * B * s * L * d * d * (1 + 8.0 / 64 + s / d + 43008.0 / d + 131072.0 / (2 * L * d));
  EXPECT_NEAR(training_flops_megatron(apertus_70b(), 4096) / expected, 1.0, 1e-12);
}

TEST(TrainingFlops, CausalAttentionCountsHalf) {
  const nn::ModelConfig config = apertus_70b();
  const double full_attention = 3.0 * 4.0 * 80 * 4096.0 * 4096.0 * 64 * 128;
  EXPECT_DOUBLE_EQ(training_flops_megatron(config, 4096) - training_flops(config, 4096), full_attention / 2);
}

// The weights of every matrix but the embedding are multiplied once per token, each way.
TEST(TrainingFlops, ShortSequencesCostSixPerWeightAndToken) {
  for (const nn::ModelType type : {nn::ModelType::kApertus, nn::ModelType::kLlama}) {
    nn::ModelConfig config = apertus_70b();
    config.type = type;
    const std::int64_t vectors =
        config.num_hidden_layers * 2 * config.hidden_size + config.hidden_size +
        (type == nn::ModelType::kApertus ? config.num_hidden_layers * (2 * 128 + 2) : 0);
    const auto weights =
        static_cast<double>(nn::num_parameters(config) - vectors - 131072 * config.hidden_size);
    EXPECT_NEAR(training_flops(config, 1) / (6.0 * weights), 1.0, 1e-4);
  }
}

// The head counts whether or not it shares its matrix with the embedding.
TEST(TrainingFlops, ATiedHeadCostsAsMuch) {
  nn::ModelConfig tied = apertus_70b();
  tied.tie_word_embeddings = true;
  EXPECT_EQ(training_flops(tied, 128), training_flops(apertus_70b(), 128));
}

// 15 T tokens of the 70B model: the published 6.74e24, which counts as Megatron does.
TEST(TrainingFlops, WholeApertusRun) {
  const double run = training_flops_megatron(apertus_70b(), 4096) * 3662109375.0;
  EXPECT_NEAR(run / 6.74e24, 1.0, 0.02);
}

}  // namespace
}  // namespace cairn::planner
