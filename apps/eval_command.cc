// cairn eval MODEL --data PREFIX ...: loss, perplexity and next-token accuracy per data set.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/faults.h"
#include "checkpoint/hf_folder.h"
#include "commands.h"
#include "device/cpu_facts.h"
#include "device/memory.h"
#include "formats/json.h"
#include "nn/model.h"
#include "parallel/evaluation.h"

namespace cairn::apps {
namespace {

struct EvalOptions {
  std::string model;
  std::vector<std::string> data;
  std::optional<std::int64_t> sequence;  // not given: the model's longest, at most kSequenceDefaultMax
  std::int64_t batch = 1;
  std::optional<std::int64_t> samples;  // of each set; not given: all
  std::int64_t threads = 0;             // 0: all CPUs that this process may use
  bool document_mask = false;
  bool restart_positions = false;
  bool keep_eod_loss = false;
};

constexpr std::int64_t kSequenceDefaultMax = 4096;

struct SetResult {
  std::string prefix;
  parallel::EvaluationResult result;
};

data::BatchOptions batch_options(const EvalOptions& options, const nn::ModelConfig& model) {
  data::BatchOptions batch;
  if (model.eos_token_id) {
    batch.eod_id = static_cast<std::int32_t>(*model.eos_token_id);
  }
  batch.eod_loss = options.keep_eod_loss || !batch.eod_id ? data::EodLoss::kKeep : data::EodLoss::kMask;
  batch.positions = options.restart_positions ? data::PositionRule::kRestart : data::PositionRule::kContinue;
  batch.document_mask = options.document_mask;
  return batch;
}

Status check_options(const EvalOptions& options) {
  Faults faults;
  const auto check_range = [&](const char* name, std::int64_t value, std::int64_t min, std::int64_t max) {
    if (value < min || value > max) {
      faults.add(name, std::to_string(value), "is out of range", fmt::format("give {} to {}", min, max));
    }
  };
  constexpr std::int64_t kCountMax = std::int64_t{1} << 40;
  constexpr std::int64_t kBatchMax = 1 << 16;
  constexpr std::int64_t kThreadsMax = 1024;
  check_range("--sequence", options.sequence.value_or(1), 1, nn::kPositionsMax);
  check_range("--samples", options.samples.value_or(1), 1, kCountMax);
  check_range("--batch", options.batch, 1, kBatchMax);
  check_range("--threads", options.threads, 0, kThreadsMax);
  return faults.to_status(StatusCode::kUsage, "cairn eval:");
}

Result<std::vector<SetResult>> evaluate(const EvalOptions& options, CommandContext& context) {
  TRY(check_options(options));
  TRY_ASSIGN(const checkpoint::HfFolder folder, checkpoint::HfFolder::open(context.files, options.model));
  const Result<nn::ModelConfig> read_config = nn::model_config_from_json(folder.config_text());
  if (!read_config.ok()) {
    return read_config.status().with_context(options.model + "/config.json");
  }
  const nn::ModelConfig& config = *read_config;
  const data::BatchOptions batch = batch_options(options, config);
  TRY(data::check_batch_options(batch));
  const std::int64_t sequence =
      options.sequence.value_or(std::min(config.max_position_embeddings, kSequenceDefaultMax));
  if (sequence > config.max_position_embeddings) {
    return usage_error(fmt::format("--sequence {} is longer than the model's {} positions", sequence,
                                   config.max_position_embeddings));
  }
  data::TokenSourceOptions source_options;
  source_options.order = {
      .sequence = sequence, .num_samples = 0, .seed = 0, .shuffle = false, .keep_tail = true};
  source_options.vocab_size = config.vocab_size;
  std::vector<data::TokenSource> sources;
  for (const std::string& prefix : options.data) {
    TRY_ASSIGN(data::TokenSource source, data::TokenSource::open(context.files, prefix, source_options));
    sources.push_back(std::move(source));
  }
  const int threads = options.threads > 0 ? static_cast<int>(options.threads) : num_usable_cpus();
  Plan plan;
  nn::Model model =
      nn::Model::declare_evaluation(config, {options.batch, sequence, threads, nn::SavePolicy::kAll}, plan);
  const parallel::EvaluationIds ids = parallel::declare_evaluation(options.batch, sequence, plan);
  plan.seal(1);
  TRY_ASSIGN(const Memory memory, Memory::create(plan));
  TRY(checkpoint::load_weights(folder, model.parameters(), model.buffers(), memory));
  ThreadPool pool(threads);
  model.bind(memory, pool);
  parallel::Evaluator evaluator(ids, memory, model);
  std::vector<SetResult> results;
  for (const data::TokenSource& source : sources) {
    const std::int64_t samples = options.samples.value_or(source.num_samples());
    TRY_ASSIGN(const parallel::EvaluationResult result, evaluator.evaluate(source, batch, samples));
    results.push_back({source.prefix(), result});
  }
  return results;
}

Status eval(const EvalOptions& options, CommandContext& context) {
  TRY_ASSIGN(const std::vector<SetResult> results, evaluate(options, context));
  Json json = Json::array();
  for (const SetResult& set : results) {
    const parallel::EvaluationResult& r = set.result;
    json.push_back({{"data", set.prefix},
                    {"loss", r.loss},
                    {"perplexity", r.perplexity()},
                    {"accuracy", r.accuracy},
                    {"num_tokens", r.num_tokens},
                    {"num_samples", r.num_samples}});
    if (!context.json) {
      context.out << fmt::format(
          "{}: loss {:.6f} nats/token, perplexity {:.3f}, next-token accuracy {:.2f}%, {} tokens\n",
          set.prefix, r.loss, r.perplexity(), r.accuracy * 100, r.num_tokens);
    }
  }
  if (context.json) {
    context.out << json_to_text(json, 2) << '\n';
  }
  return ok_status();
}

}  // namespace

void add_eval_command(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command = app.add_subcommand("eval", "Loss, perplexity and next-token accuracy on token shards");
  command->add_option("model", options->model, "A Hugging Face folder or a checkpoint")
      ->required()
      ->type_name("MODEL");
  command->add_option("--data", options->data, "Token shards (PREFIX of .bin and .idx)")
      ->required()
      ->type_name("PREFIX");
  command->add_option("--sequence", options->sequence,
                      "Tokens per sample (default: the model's positions, at most 4096)");
  command->add_option("--batch", options->batch, "Samples at once; does not change the result");
  command->add_option("--samples", options->samples, "Only the first N samples of each set");
  command->add_option("--threads", options->threads, "CPU threads (default: all)");
  command->add_flag("--document-mask", options->document_mask, "No attention across documents");
  command->add_flag("--restart-positions", options->restart_positions, "Positions from 0 in each document");
  command->add_flag("--keep-eod-loss", options->keep_eod_loss,
                    "Count the token after an end of document too");
  command->callback(
      [options, &context] { context.set_action([options, &context] { return eval(*options, context); }); });
}

}  // namespace cairn::apps
