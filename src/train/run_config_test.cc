#include "train/run_config.h"

#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_text.h"

namespace cairn::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kGood = R"([model]
type = "apertus"
vocab_size = 512
hidden_size = 64
intermediate_size = 96
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 2
[tokenizer]
file = "tokenizer.json"
[[data.stage]]
[[data.stage.source]]
path = "shards/train"
[train]
sequence = 32
global_batch = 8
microbatch = 2
samples = 100
)";

Result<RunConfig> parse(std::string_view text, const std::vector<std::string>& overrides = {}) {
  return parse_run_config(text, "runs/test.toml", overrides);
}

RunConfig good(const std::vector<std::string>& overrides = {}) {
  Result<RunConfig> config = parse(kGood, overrides);
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? *config : RunConfig{};
}

std::string error_of(const std::vector<std::string>& overrides) {
  const Result<RunConfig> config = parse(kGood, overrides);
  EXPECT_FALSE(config.ok());
  EXPECT_EQ(config.ok() ? 0 : config.status().exit_code(), 78);
  return config.ok() ? "" : config.status().message();
}

TEST(RunConfig, DefaultsAreThoseOfTheApertusRun) {
  const RunConfig config = good();
  EXPECT_EQ(config.run.name, "test");
  EXPECT_EQ(config.run.folder, "runs/test");
  EXPECT_EQ(config.run.seed, 28);
  EXPECT_EQ(config.optimizer.type, OptimizerType::kAdemamix);
  EXPECT_EQ(config.optimizer.alpha, 8.0);
  EXPECT_EQ(config.optimizer.beta3, 0.9999);
  EXPECT_EQ(config.optimizer.alpha_warmup_steps, 100000);
  EXPECT_EQ(config.optimizer.clip, 0.1);
  EXPECT_EQ(config.schedule.type, optim::ScheduleType::kWsd);
  EXPECT_EQ(config.schedule.init_learning_rate, 0.0);
  EXPECT_EQ(config.train.loss_reduction, LossReduction::kMicrobatch);
  EXPECT_TRUE(config.data.goldfish.enabled);
  EXPECT_FALSE(config.data.document_mask);
  EXPECT_EQ(config.data.positions, Positions::kContinue);
  EXPECT_FALSE(config.data.eod_loss);
}

TEST(RunConfig, PrintedFileReadsBackEqual) {
  const RunConfig config = good({"schedule.type=cosine", "train.recompute=block", "eval.every=5",
                                 "eval.set.0.name=a", "eval.set.0.path=b", "model.rope.type=linear"});
  const Result<RunConfig> again = parse_run_config(run_config_to_toml(config), "other.toml", {});
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(flatten_config(*again), flatten_config(config));
}

// A default outside its own limits would make the printed file unreadable.
TEST(RunConfig, EveryKeyIsDocumentedAndEveryDefaultIsLegal) {
  std::set<std::string> paths;
  for (const FieldDocument& field : document_config<RunConfig>()) {
    EXPECT_GE(field.doc.size(), 8U) << field.path;
    EXPECT_TRUE(field.doc.ends_with(".")) << field.path;
    EXPECT_TRUE(paths.insert(field.path).second) << field.path << " is listed twice";
  }
  EXPECT_GE(paths.size(), 100U);
}

TEST(RunConfig, NamesEveryBrokenRule) {
  const struct {
    std::vector<std::string> overrides;
    std::string message;
  } cases[] = {
      {{"train.microbatch=3"}, "train.microbatch = 3: does not divide train.global_batch = 8"},
      {{"train.tokens=1000"}, "train.tokens = 1000: train.samples = 100 is given too"},
      {{"train.samples=0"}, "train.samples: the length of the run is missing"},
      {{"train.samples=7"}, "train.samples = 7: is less than one step of 8 samples"},
      {{"model.from=folder"}, "model.hidden_size = 64: model.from is given"},
      {{"model.type=\"\""}, "neither from nor type is given"},
      {{"model.type=gpt2"}, "model.type = \"gpt2\": is not a model type"},
      {{"model.hidden_size=0"}, "model.hidden_size: is missing"},
      {{"model.num_key_value_heads=3"}, "does not divide model.num_attention_heads = 4"},
      {{"model.num_attention_heads=6", "model.num_key_value_heads=2"}, "is not a multiple of"},
      {{"model.head_dim=7"}, "model.head_dim = 7: is odd"},
      {{"model.max_position_embeddings=16"}, "train.sequence = 32: is longer than"},
      {{"model.rope.high_freq_factor=0.5"}, "model.rope.high_freq_factor = 0.5: is not above"},
      {{"tokenizer.file=\"\"", "model.vocab_size=0"}, "tokenizer.file: is missing"},
      {{"data.stage.1.seed=3"}, "data.stage.1.start_samples = 0: the stage before it starts at 0"},
      {{"data.stage.0.source.1.path=shards/train"}, "the stage has this source already"},
      {{"data.stage.0.source.1.path=x", "data.stage.0.source.1.weight=2.0"}, "and some have none"},
      {{"data.stage.0.start_samples=5"}, "the first stage must start at 0"},
      {{"data.stage.0.source.0.path=\"\""}, "data.stage.0.source.0.path: is missing"},
      {{"train.ramp.increment=2"}, "train.ramp.start_batch: is missing"},
      {{"train.ramp.start_batch=2", "train.ramp.increment=4", "train.ramp.samples=10"}, "does not divide"},
      {{"train.ramp.start_batch=16", "train.ramp.increment=4", "train.ramp.samples=10"}, "is above"},
      {{"train.ramp.start_batch=2", "train.ramp.increment=2", "train.ramp.samples=101"}, "is longer than"},
      {{"train.ramp.start_batch=1", "train.ramp.increment=7", "train.ramp.samples=10"},
       "train.ramp.start_batch = 1: is less than one microbatch"},
      {{"train.ramp.start_batch=5", "train.ramp.increment=3", "train.ramp.samples=10"},
       "train.ramp.start_batch = 5: is not a multiple of"},
      {{"train.global_batch=1000000000", "train.samples=1000000000"},
       "train.global_batch = 1000000000: is 500000000 microbatches of train.microbatch = 2"},
      {{"data.stage.0.seed=4294967296"}, "data.stage.0.seed = 4294967296"},
      {{"model.hidden_size=1000000000"}, "model.hidden_size = 1000000000"},
      {{"model.num_hidden_layers=100000"}, "model.num_hidden_layers = 100000"},
      {{"model.rope.theta=1e308"}, "model.rope.theta = 1e+308"},
      {{"model.head_dim=65536", "model.num_attention_heads=100000"},
       "model.num_attention_heads = 100000: times model.head_dim = 65536 is too wide"},
      {{"model.num_hidden_layers=65536", "model.hidden_size=4194304", "model.intermediate_size=4194304"},
       "parameters, more than"},
      {{"schedule.warmup_samples=60", "schedule.cooldown_samples=41"}, "are longer than the run of 100"},
      {{"schedule.min_learning_rate=1.0"}, "schedule.min_learning_rate = 1: is above"},
      {{"schedule.init_learning_rate=1.0"}, "schedule.init_learning_rate = 1: is above"},
      {{"parallel.data=2"}, "parallel.data = 2: is not implemented yet"},
      {{"parallel.zero=\"1\""}, "parallel.zero = \"1\""},
      {{"precision.gradient_reduce=float32"},
       "precision.gradient_reduce = \"float32\": --set: is not implemented yet"},
      {{"precision.fp8=current"}, "precision.fp8 = \"current\": stands beside bfloat16 on a GPU only"},
      {{"optimizer.state=host"}, "optimizer.state = \"host\": moves moments out of a GPU's memory"},
      {{"supervise.restarts=3"}, "supervise.restarts = 3: --set: is not implemented yet"},
      {{"eval.every=3"}, "eval.set: eval.every is given, but there is no set"},
      {{"eval.set.0.path=x"}, "eval.set.0.name: is missing"},
      {{"eval.set.0.name=a", "eval.set.0.path=x", "eval.set.1.name=a", "eval.set.1.path=y"},
       "has the same name"},
      {{"task.weights_only=true"}, "task.weights_only = true: checkpoint.load = \"auto\" is not the path"},
      {{"checkpoint.load=\"\""}, "checkpoint.load = \"\": is empty"},
      {{"run.name=a/b"}, "run.name = \"a/b\": is not usable"},
      {{"train.samples=9000000000000000000"}, "cannot be counted"},
  };
  for (const auto& item : cases) {
    EXPECT_THAT(error_of(item.overrides), HasSubstr(item.message)) << item.overrides.front();
  }
}

TEST(RunConfig, CollectsFaultsOfTheWholeFileAndReportsEachOnce) {
  const std::string text = error_of({"train.microbatc=4", "train.sequence=-1", "optimizer.beta1=1.0",
                                     "model.num_key_value_heads=3", "watch.log_every=many"});
  EXPECT_THAT(text, HasSubstr("5 faults"));
  EXPECT_THAT(text, HasSubstr("did you mean train.microbatch?"));
  EXPECT_THAT(text, HasSubstr("train.sequence = -1: --set: must be at least 1 and at most 100000000"));
  EXPECT_THAT(text, HasSubstr("optimizer.beta1 = 1.0: --set: must be at least 0.0 and less than 1.0"));
  EXPECT_THAT(text, HasSubstr("watch.log_every = \"many\": --set: must be an integer"));
  EXPECT_THAT(text, Not(HasSubstr("max_position_embeddings")));
}

TEST(RunConfig, AFileThatIsNotTomlNamesTheLine) {
  const Result<RunConfig> config = parse("[run]\nseed = = 3\n");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.status().code(), StatusCode::kBadConfig);
  EXPECT_THAT(config.status().message(), HasSubstr("runs/test.toml"));
  EXPECT_THAT(config.status().message(), HasSubstr("line 2"));
}

// Whatever the bytes, the answer is a Status.
TEST(RunConfig, DamagedFilesAreRefusedNotCrashedOn) {
  for (std::size_t cut = 0; cut < kGood.size(); cut += 3) {
    static_cast<void>(parse(kGood.substr(0, cut)).ok());
    std::string damaged(kGood);
    damaged[cut] = static_cast<char>(damaged[cut] ^ 0x5A);
    static_cast<void>(parse(damaged).ok());
  }
}

TEST(ResolvedRun, CountsWholeSteps) {
  const ResolvedRun run = resolve_run(good());
  EXPECT_EQ(run.samples, 100);
  EXPECT_EQ(run.steps, 12);
  EXPECT_EQ(run.consumed_samples, 96);
  EXPECT_EQ(run.tokens, 96 * 32);
  EXPECT_EQ(run.max_batch, 8);
  EXPECT_EQ(run.max_microbatches, 4);
  EXPECT_EQ(run.ramp_steps, 0);
  EXPECT_EQ(run.learning_rate.total_samples, 100);
}

TEST(ResolvedRun, TokensAreRoundedDownToSamples) {
  const ResolvedRun run = resolve_run(good({"train.samples=0", "train.tokens=3231"}));
  EXPECT_EQ(run.samples, 100);
}

TEST(ResolvedRun, RampIsThatOfTheStepsTaken) {
  const RunConfig config =
      good({"train.ramp.start_batch=2", "train.ramp.increment=2", "train.ramp.samples=30"});
  const ResolvedRun run = resolve_run(config);
  std::int64_t consumed = 0;
  std::int64_t steps = 0;
  while (consumed + optim::batch_size_at(run.batch, consumed).samples <= run.samples) {
    consumed += optim::batch_size_at(run.batch, consumed).samples;
    ++steps;
  }
  EXPECT_EQ(run.steps, steps);
  EXPECT_EQ(run.consumed_samples, consumed);
  EXPECT_GT(run.ramp_steps, 3);
}

// Megatron's iteration counts of the two real runs.
TEST(ResolvedRun, ApertusIterationCounts) {
  const std::vector<std::string> run_8b = {
      "train.samples=3662109375",    "train.global_batch=2048",   "train.microbatch=4",
      "train.ramp.start_batch=1024", "train.ramp.increment=1024", "train.ramp.samples=1718272000",
  };
  const ResolvedRun eight = resolve_run(good(run_8b));
  EXPECT_EQ(eight.ramp_steps, 1678000);
  EXPECT_EQ(eight.steps, 2627139);
  const std::vector<std::string> run_70b = {
      "train.samples=3662109375",    "train.global_batch=4096",   "train.microbatch=1",
      "train.ramp.start_batch=2048", "train.ramp.increment=2048", "train.ramp.samples=1072164864",
  };
  const ResolvedRun seventy = resolve_run(good(run_70b));
  EXPECT_EQ(seventy.ramp_steps, 523518);
  EXPECT_EQ(seventy.steps, 1155828);
}

TEST(ModelConfigFromRun, FillsWhatTheFileLeavesOpen) {
  const Result<nn::ModelConfig> model = model_config_from_run(good({"model.vocab_size=0"}), 777);
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->vocab_size, 777);
  EXPECT_EQ(model->head_dim, 16);
  EXPECT_EQ(model->max_position_embeddings, 32);
  EXPECT_EQ(model->rope.type, nn::RopeType::kLlama3);
  EXPECT_EQ(model_config_from_run(good({"model.vocab_size=0"}), 0).status().code(), StatusCode::kBadConfig);
}

// Whatever the limits of single keys let through, the model that the rest of the program gets is sound.
TEST(ModelConfigFromRun, RefusesWhatTheModelRefuses) {
  RunConfig config = good();
  config.model.hidden_size = 1'000'000'000;
  config.model.rope.theta = 1e308;
  const Result<nn::ModelConfig> model = model_config_from_run(config, 0);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.status().code(), StatusCode::kBadConfig);
  EXPECT_THAT(model.status().message(), HasSubstr("model.hidden_size = 1000000000"));
  EXPECT_THAT(model.status().message(), HasSubstr("model.rope.theta = 1e+308"));
}

TEST(ResolvedRun, ABatchThatIsNoMultipleIsRoundedDownWhenAsked) {
  const ResolvedRun run =
      resolve_run(good({"train.ramp.start_batch=5", "train.ramp.increment=3", "train.ramp.samples=20",
                        "train.ramp.decrease_batch_if_needed=true"}));
  EXPECT_TRUE(run.batch.decrease_batch_if_needed);
  EXPECT_EQ(optim::batch_size_at(run.batch, 0).samples, 4);
  EXPECT_EQ(optim::batch_size_at(run.batch, 0).skipped, 1);
  EXPECT_EQ(run.ramp_steps, 5);
}

// A run of a hundred million million samples is counted at once.
TEST(ResolvedRun, LongRampsAreCounted) {
  const ResolvedRun run =
      resolve_run(good({"train.samples=100000000000000", "train.ramp.samples=100000000000000",
                        "train.ramp.start_batch=2", "train.ramp.increment=2"}));
  EXPECT_GT(run.steps, 10'000'000'000'000);
  EXPECT_LE(run.consumed_samples, 100'000'000'000'000);
}

TEST(TrainingPlanInputs, CarryTheSizesOfTheRun) {
  const RunConfig config = good({"optimizer.type=adamw", "train.recompute=block"});
  const planner::TrainingPlanInputs inputs =
      training_plan_inputs(config, model_config_from_run(config, 0).value(), 3);
  EXPECT_EQ(inputs.shape.batch, 2);
  EXPECT_EQ(inputs.shape.sequence, 32);
  EXPECT_EQ(inputs.shape.num_threads, 3);
  EXPECT_EQ(inputs.shape.save_policy, nn::SavePolicy::kFull);
  EXPECT_EQ(inputs.max_microbatches, 4);
  EXPECT_TRUE(std::holds_alternative<optim::AdamWConfig>(inputs.optimizer));
  EXPECT_EQ(inputs.state_place, optim::StatePlace::kDevice);
}

TEST(TrainingPlanInputs, EveryWayToRecompute) {
  EXPECT_EQ(save_policy(good().train.recompute), nn::SavePolicy::kAll);
  EXPECT_EQ(save_policy(good({"train.recompute=selective"}).train.recompute), nn::SavePolicy::kSelective);
  EXPECT_EQ(save_policy(good({"train.recompute=full"}).train.recompute), nn::SavePolicy::kFull);
}

TEST(NumWorkerThreads, IsWhatTheFileSaysOrAtLeastOne) {
  EXPECT_EQ(num_worker_threads(good({"run.threads=5"})), 5);
  EXPECT_GE(num_worker_threads(good()), 1);
}

}  // namespace
}  // namespace cairn::train
