// The run file (run.toml): every key, its default and its documentation, in one place. Defaults are those of the
// Apertus pre-training run as its code had them. Sizes and counts in samples are authoritative; steps and tokens
// are derived (ResolvedRun) and printed. docs/run-file.md is generated from the field lists in run_config.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "config/field_visitor.h"
#include "data/run_order.h"
#include "doors/file_system.h"
#include "nn/model.h"
#include "nn/model_config.h"
#include "optim/adamw.h"
#include "optim/ademamix.h"
#include "optim/batch_ramp.h"
#include "optim/learning_rate.h"
#include "planner/training_plan.h"

namespace cairn::train {

enum class Positions : std::uint8_t { kContinue, kRestart };
enum class StageOrder : std::uint8_t { kContinue, kRestart };
enum class MixtureRounding : std::uint8_t { kX86, kArm };
enum class LossReduction : std::uint8_t { kMicrobatch, kToken };
enum class Recompute : std::uint8_t { kNone, kSelective, kFull, kBlock };
enum class OptimizerType : std::uint8_t { kAdamw, kAdemamix };
enum class OptimizerState : std::uint8_t { kDevice, kHost };
enum class WeightsDtype : std::uint8_t { kFloat32, kBfloat16 };
enum class ComputeDtype : std::uint8_t { kFloat32, kBfloat16 };
enum class Fp8 : std::uint8_t { kNone, kCurrent };
enum class RunDevice : std::uint8_t { kCpu, kCuda };
enum class TaskType : std::uint8_t { kPretrain };
enum class NonFinitePolicy : std::uint8_t { kStop };
enum class ParallelSchedule : std::uint8_t { kNone };
enum class ZeroStage : std::uint8_t { kNone };

std::span<const std::string_view> enum_names(Positions);
std::span<const std::string_view> enum_names(StageOrder);
std::span<const std::string_view> enum_names(MixtureRounding);
std::span<const std::string_view> enum_names(LossReduction);
std::span<const std::string_view> enum_names(Recompute);
std::span<const std::string_view> enum_names(OptimizerType);
std::span<const std::string_view> enum_names(OptimizerState);
std::span<const std::string_view> enum_names(WeightsDtype);
std::span<const std::string_view> enum_names(ComputeDtype);
std::span<const std::string_view> enum_names(Fp8);
std::span<const std::string_view> enum_names(RunDevice);
std::span<const std::string_view> enum_names(TaskType);
std::span<const std::string_view> enum_names(NonFinitePolicy);
std::span<const std::string_view> enum_names(ParallelSchedule);
std::span<const std::string_view> enum_names(ZeroStage);

struct RunSection {
  std::string name;    // after loading: never empty
  std::string folder;  // after loading: never empty
  std::int64_t seed = 28;
  bool deterministic = true;
  std::int64_t threads = 0;
  RunDevice device = RunDevice::kCpu;
  static void visit_fields(RunSection& self, FieldVisitor& visitor);
};

struct RopeSection {
  nn::RopeType type = nn::RopeType::kLlama3;
  double theta = 500000.0;
  double factor = 8.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  std::int64_t original_max_position_embeddings = 8192;
  friend bool operator==(const RopeSection&, const RopeSection&) = default;
  static void visit_fields(RopeSection& self, FieldVisitor& visitor);
};

struct ModelSection {
  std::string from;
  std::string type;
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-5;
  double initializer_range = 0.008944;
  bool tie_word_embeddings = false;
  RopeSection rope;
  static void visit_fields(ModelSection& self, FieldVisitor& visitor);
};

struct TokenizerSection {
  std::string file;
  static void visit_fields(TokenizerSection& self, FieldVisitor& visitor);
};

struct GoldfishSection {
  bool enabled = true;
  std::int64_t k = 50;
  std::int64_t h = 50;
  static void visit_fields(GoldfishSection& self, FieldVisitor& visitor);
};

struct SourceSection {
  std::string path;
  std::optional<double> weight;
  static void visit_fields(SourceSection& self, FieldVisitor& visitor);
};

struct StageSection {
  std::int64_t start_samples = 0;
  std::int64_t seed = 28;
  StageOrder order = StageOrder::kContinue;
  std::vector<SourceSection> source;
  static void visit_fields(StageSection& self, FieldVisitor& visitor);
};

struct DataSection {
  bool document_mask = false;
  Positions positions = Positions::kContinue;
  bool eod_loss = false;
  MixtureRounding mixture_rounding = MixtureRounding::kX86;
  std::string cache;
  GoldfishSection goldfish;
  std::vector<StageSection> stage;
  static void visit_fields(DataSection& self, FieldVisitor& visitor);
};

struct RampSection {
  std::int64_t start_batch = 0;
  std::int64_t increment = 0;
  std::int64_t samples = 0;
  bool decrease_batch_if_needed = false;
  static void visit_fields(RampSection& self, FieldVisitor& visitor);
};

struct TrainSection {
  std::int64_t sequence = 4096;
  std::int64_t global_batch = 0;
  std::int64_t microbatch = 1;
  std::int64_t samples = 0;
  std::int64_t tokens = 0;
  LossReduction loss_reduction = LossReduction::kMicrobatch;
  Recompute recompute = Recompute::kNone;
  RampSection ramp;
  static void visit_fields(TrainSection& self, FieldVisitor& visitor);
};

struct OptimizerSection {
  OptimizerType type = OptimizerType::kAdemamix;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double beta3 = 0.9999;
  double alpha = 8.0;
  std::int64_t alpha_warmup_steps = 100000;
  std::int64_t beta3_warmup_steps = 100000;
  double eps = 1e-8;
  double weight_decay = 0.1;
  double clip = 0.1;
  OptimizerState state = OptimizerState::kDevice;
  static void visit_fields(OptimizerSection& self, FieldVisitor& visitor);
};

struct ScheduleSection {
  optim::ScheduleType type = optim::ScheduleType::kWsd;
  double learning_rate = 1.1e-4;
  double min_learning_rate = 1.1e-5;
  double init_learning_rate = 0.0;
  std::int64_t warmup_samples = 0;
  std::int64_t cooldown_samples = 0;
  static void visit_fields(ScheduleSection& self, FieldVisitor& visitor);
};

struct PrecisionSection {
  ComputeDtype compute = ComputeDtype::kFloat32;
  WeightsDtype weights = WeightsDtype::kBfloat16;
  Fp8 fp8 = Fp8::kNone;
  static void visit_fields(PrecisionSection& self, FieldVisitor& visitor);
};

struct ParallelSection {
  std::int64_t data = 1;
  std::int64_t tensor = 1;
  std::int64_t pipeline = 1;
  std::int64_t context = 1;
  std::int64_t chunks = 1;
  ZeroStage zero = ZeroStage::kNone;
  ParallelSchedule schedule = ParallelSchedule::kNone;
  static void visit_fields(ParallelSection& self, FieldVisitor& visitor);
};

struct KeepSection {
  std::int64_t last = 3;
  std::int64_t every = 0;
  static void visit_fields(KeepSection& self, FieldVisitor& visitor);
};

struct CheckpointSection {
  std::int64_t every = 0;
  std::string load = "auto";
  KeepSection keep;
  static void visit_fields(CheckpointSection& self, FieldVisitor& visitor);
};

struct EvalSetSection {
  std::string name;
  std::string path;
  static void visit_fields(EvalSetSection& self, FieldVisitor& visitor);
};

struct EvalSection {
  std::int64_t every = 0;
  std::int64_t samples = 0;
  std::vector<EvalSetSection> set;
  static void visit_fields(EvalSection& self, FieldVisitor& visitor);
};

struct TaskSection {
  TaskType type = TaskType::kPretrain;
  bool weights_only = false;
  static void visit_fields(TaskSection& self, FieldVisitor& visitor);
};

struct WatchSection {
  bool tensorboard = true;
  std::int64_t log_every = 1;
  NonFinitePolicy non_finite = NonFinitePolicy::kStop;
  static void visit_fields(WatchSection& self, FieldVisitor& visitor);
};

struct RunConfig {
  RunSection run;
  ModelSection model;
  TokenizerSection tokenizer;
  DataSection data;
  TrainSection train;
  OptimizerSection optimizer;
  ScheduleSection schedule;
  PrecisionSection precision;
  ParallelSection parallel;
  CheckpointSection checkpoint;
  EvalSection eval;
  TaskSection task;
  WatchSection watch;
  static void visit_fields(RunConfig& self, FieldVisitor& visitor);
};

// What follows from a RunConfig: computed once, printed at the start, never written in the run file.
struct ResolvedRun {
  std::int64_t samples = 0;           // asked for: train.samples, or train.tokens / train.sequence
  std::int64_t steps = 0;             // whole steps that fit into `samples`
  std::int64_t consumed_samples = 0;  // after the last step; a rest smaller than a batch is not trained
  std::int64_t tokens = 0;            // consumed_samples * sequence
  std::int64_t ramp_steps = 0;        // steps before the batch is global_batch
  std::int64_t max_batch = 0;         // samples of the largest step
  std::int64_t max_microbatches = 0;  // of the largest step
  optim::BatchRampConfig batch;
  optim::LearningRateConfig learning_rate;
};

// Reads the file, applies `overrides` ("train.samples=1000", "data.stage.0.seed=7"), checks everything. All faults
// at once, each with its key, line, reason and fix. kNoInput when there is no such file, kBadConfig otherwise.
// Fills run.name (the file's name) and run.folder ("runs/<name>") where they are not given.
Result<RunConfig> load_run_config(FileSystem& files, const std::string& path,
                                  std::span<const std::string> overrides);
// The same from text; `name` stands for the file in messages and names the run. For tests and fuzzing.
Result<RunConfig> parse_run_config(std::string_view text, const std::string& name,
                                   std::span<const std::string> overrides);

// Every key with its value, with comments: what `cairn config show` prints and RUN/run.toml holds.
// parse_run_config of it gives an equal configuration.
std::string run_config_to_toml(const RunConfig& config);

// REQUIRES: a configuration that load_run_config returned.
ResolvedRun resolve_run(const RunConfig& config);

// The model of a run file that gives model.type. vocab_size is `tokenizer_vocab_size` when the file says 0
// (kBadConfig when that is 0 too, and with all faults that nn::check_model_config finds).   REQUIRES: model.type is given.
Result<nn::ModelConfig> model_config_from_run(const RunConfig& config, std::int64_t tokenizer_vocab_size);

// The stages of the run file as the data plane knows them.
std::vector<data::Stage> data_stages(const DataSection& section);
// The order of the run's samples. REQUIRES: a configuration that load_run_config returned.
data::RunOrderOptions run_order_options(const RunConfig& config, std::int64_t vocab_size);

nn::SavePolicy save_policy(Recompute recompute);

// What the planner must know of the run. num_threads >= 1: the size of the pool that will run it.
planner::TrainingPlanInputs training_plan_inputs(const RunConfig& config, const nn::ModelConfig& model,
                                                 int num_threads);

// Workers of the CPU back end: run.threads, or for 0 every core that this process may use (num_usable_cpus).
int num_worker_threads(const RunConfig& config);

optim::AdamWConfig adamw_config(const OptimizerSection& section);
optim::AdemamixConfig ademamix_config(const OptimizerSection& section);

}  // namespace cairn::train
