#include "parallel/evaluation.h"

#include <cmath>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "data/token_shard_writer.h"
#include "doors/sim_file_system.h"

namespace cairn::parallel {
namespace {

constexpr std::int64_t kVocabulary = 30;
constexpr std::int64_t kSequence = 8;

nn::ModelConfig small_model() {
  nn::ModelConfig config = nn::ModelConfig::defaults(nn::ModelType::kLlama);
  config.vocab_size = kVocabulary;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 2;
  config.head_dim = 8;
  config.max_position_embeddings = 16;
  return config;
}

EvaluationResult evaluate(std::int64_t batch, std::int64_t num_samples, float weight_scale) {
  SimFileSystem files(1);
  EXPECT_TRUE(files.make_directories("/d").ok());
  Result<data::TokenShardWriter> writer = data::TokenShardWriter::create(files, "/d/set", kVocabulary);
  for (std::int32_t d = 0; d < 5; ++d) {
    const std::vector<std::int32_t> ids = {3, 4 + d, 5, 6 + d, 7, 8 + d, 9, 10, 11, 12 + d, 2};
    EXPECT_TRUE(writer->add_document(ids).ok());
  }
  EXPECT_TRUE(writer->finish().ok());
  data::TokenSourceOptions options;
  options.order = {.sequence = kSequence, .num_samples = 0, .seed = 0, .shuffle = false, .keep_tail = true};
  options.vocab_size = kVocabulary;
  const data::TokenSource source = data::TokenSource::open(files, "/d/set", options).value();

  Plan plan;
  const nn::ModelConfig config = small_model();
  nn::Model model = nn::Model::declare_evaluation(config, {batch, kSequence, 1, nn::SavePolicy::kAll}, plan);
  const EvaluationIds ids = declare_evaluation(batch, kSequence, plan);
  plan.seal(1);
  const Memory memory = Memory::create(plan).value();
  ThreadPool pool(1);
  model.bind(memory, pool);
  nn::initialize_weights(model.parameters(), memory, config, 3, pool);
  for (const nn::Parameter& parameter : model.parameters()) {
    for (float& value : memory.view(parameter.weight).span<float>()) {
      value *= weight_scale;
    }
  }
  data::BatchOptions rules;
  rules.eod_loss = data::EodLoss::kKeep;
  Evaluator evaluator(ids, memory, model);
  return evaluator.evaluate(source, rules, num_samples).value();
}

TEST(Evaluation, TheResultDoesNotDependOnTheBatch) {
  const EvaluationResult one = evaluate(1, 100, 1.0F);
  for (const std::int64_t batch : {2, 3, 4}) {
    const EvaluationResult many = evaluate(batch, 100, 1.0F);
    EXPECT_EQ(many.loss, one.loss) << batch;
    EXPECT_EQ(many.accuracy, one.accuracy) << batch;
    EXPECT_EQ(many.num_tokens, one.num_tokens) << batch;
  }
}

TEST(Evaluation, EveryTokenOfTheSetIsPredictedOnce) {
  const EvaluationResult result = evaluate(2, 100, 1.0F);
  EXPECT_EQ(result.num_tokens, 5 * 11 - 1) << "all but the first";
  EXPECT_EQ(evaluate(2, 1, 1.0F).num_tokens, kSequence);
}

TEST(Evaluation, AModelOfZerosIsUniform) {
  const EvaluationResult result = evaluate(2, 100, 0.0F);
  EXPECT_NEAR(result.loss, std::log(static_cast<double>(kVocabulary)), 1e-6);
  EXPECT_NEAR(result.perplexity(), static_cast<double>(kVocabulary), 1e-4);
  EXPECT_EQ(result.accuracy, 0.0) << "ties go to id 0, which the set does not hold";
}

}  // namespace
}  // namespace cairn::parallel
