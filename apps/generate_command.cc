// `cairn generate`: continues a text with a model folder.
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/faults.h"
#include "base/text.h"
#include "checkpoint/hf_folder.h"
#include "commands.h"
#include "device/cpu_facts.h"
#include "doors/clock.h"
#include "formats/json.h"
#include "serve/generate.h"
#include "serve/inference_session.h"
#include "tokenizer/tokenizer.h"

namespace cairn::apps {
namespace {

constexpr std::int64_t kPrefillRows = 256;  // bounds the scratch of long prompts

struct GenerateCommand {
  std::string model_path;
  std::string prompt;
  serve::GenerateOptions options;
  int num_threads = 0;  // 0: all CPUs that this process may use
};

// What is read before memory is taken.
struct Inputs {
  checkpoint::HfFolder folder;
  nn::ModelConfig config;
  tokenizer::Tokenizer tokenizer;
  std::vector<std::int32_t> prompt_ids;
};

Status check_options(const GenerateCommand& command) {
  Faults faults = serve::check_sampling_options(command.options.sampling, "--");
  constexpr std::int64_t kNewTokensMax = std::int64_t{1} << 30;
  if (command.options.max_new_tokens < 0 || command.options.max_new_tokens > kNewTokensMax) {
    faults.add("--max-new-tokens", std::to_string(command.options.max_new_tokens), "is out of range",
               fmt::format("give 0 to {}", kNewTokensMax));
  }
  constexpr int kThreadsMax = 1024;
  if (command.num_threads < 0 || command.num_threads > kThreadsMax) {
    faults.add("--threads", std::to_string(command.num_threads), "is out of range",
               fmt::format("give 1 to {}, or 0 for all", kThreadsMax));
  }
  if (!is_valid_utf8(command.prompt)) {
    faults.add("--prompt", "", "is not UTF-8", "set the terminal's character encoding to UTF-8");
  }
  return faults.to_status(StatusCode::kUsage, "cairn generate:");
}

Result<Inputs> read_inputs(FileSystem& files, const GenerateCommand& command) {
  TRY_ASSIGN(checkpoint::HfFolder folder, checkpoint::HfFolder::open(files, command.model_path));
  auto config = nn::model_config_from_json(folder.config_text());
  if (!config.ok()) {
    return config.status().with_context(command.model_path);
  }
  const std::string tokenizer_path = command.model_path + "/tokenizer.json";
  TRY_ASSIGN(const std::string tokenizer_text, files.read_text(tokenizer_path));
  auto tokenizer = tokenizer::Tokenizer::from_json(tokenizer_text);
  if (!tokenizer.ok()) {
    return tokenizer.status().with_context(tokenizer_path);
  }
  if (tokenizer->vocab_size() > config->vocab_size) {
    return bad_data(fmt::format("{}: has {} ids, more than the model's vocabulary of {}", tokenizer_path,
                                tokenizer->vocab_size(), config->vocab_size));
  }
  TRY_ASSIGN(std::vector<std::int32_t> prompt_ids, tokenizer->encode(command.prompt, true));
  return Inputs{std::move(folder), *std::move(config), *std::move(tokenizer), std::move(prompt_ids)};
}

// A template may close the text with an end token; a text to be continued must stay open.
void drop_template_suffix(const tokenizer::Tokenizer& tokenizer, std::vector<std::int32_t>& ids) {
  const std::span<const std::int32_t> suffix = tokenizer.template_suffix();
  if (!suffix.empty() && ids.size() > suffix.size() &&
      std::equal(suffix.rbegin(), suffix.rend(), ids.rbegin())) {
    ids.resize(ids.size() - suffix.size());
  }
}

void print_json(const GenerateCommand& command, const Inputs& inputs, const serve::Generation& generation,
                double seconds, CommandContext& context) {
  Json out;
  out["prompt"] = command.prompt;
  out["prompt_tokens"] = inputs.prompt_ids.size();
  out["text"] = inputs.tokenizer.decode(generation.ids, true);
  out["ids"] = generation.ids;
  out["finish_reason"] = std::string(serve::finish_reason_name(generation.finish_reason));
  out["seconds"] = seconds;
  out["tokens_per_second"] = seconds > 0.0 ? static_cast<double>(generation.ids.size()) / seconds : 0.0;
  context.out << json_to_text(out, -1) << '\n';
}

Status run(GenerateCommand& command, CommandContext& context) {
  TRY(check_options(command));
  TRY_ASSIGN(Inputs inputs, read_inputs(context.files, command));
  drop_template_suffix(inputs.tokenizer, inputs.prompt_ids);
  TRY_ASSIGN(command.options.end_ids,
             serve::end_token_ids(inputs.config, inputs.folder.generation_config_text()));
  if (command.options.end_ids.empty() && inputs.tokenizer.eos_id()) {
    command.options.end_ids.push_back(*inputs.tokenizer.eos_id());
  }
  const auto num_prompt = static_cast<std::int64_t>(inputs.prompt_ids.size());
  serve::SessionShape shape;
  shape.cache_rows = std::clamp<std::int64_t>(num_prompt + command.options.max_new_tokens, 1,
                                              inputs.config.max_position_embeddings);
  shape.prefill_rows = std::clamp<std::int64_t>(num_prompt, 1, std::min(kPrefillRows, shape.cache_rows));
  shape.num_threads = command.num_threads > 0 ? command.num_threads : num_usable_cpus();
  TRY_ASSIGN(const std::unique_ptr<serve::InferenceSession> session,
             serve::InferenceSession::open(inputs.folder, inputs.config, shape));

  tokenizer::StreamDecoder decoder(inputs.tokenizer, true);
  const auto stream = [&](std::int32_t id) {
    if (!context.json) {
      context.out << decoder.add(id) << std::flush;
    }
    return static_cast<bool>(context.out);
  };
  const double start_s = context.clock.monotonic_s();
  TRY_ASSIGN(const serve::Generation generation, serve::generate(session->model(), session->logits_V(),
                                                                 inputs.prompt_ids, command.options, stream));
  const double seconds = context.clock.monotonic_s() - start_s;
  if (context.json) {
    print_json(command, inputs, generation, seconds, context);
  } else {
    context.out << decoder.finish() << '\n';
  }
  return ok_status();
}

}  // namespace

void add_generate_command(CLI::App& app, CommandContext& context) {
  const auto command = std::make_shared<GenerateCommand>();
  CLI::App* generate = app.add_subcommand("generate", "Continue a text with a model");
  generate->add_option("model", command->model_path, "Model folder, or a checkpoint of a run")->required();
  generate->add_option("--prompt", command->prompt, "Text to continue")->required();
  generate->add_option("--max-new-tokens", command->options.max_new_tokens,
                       "Stop after so many (default: 128)");
  generate->add_option("--temperature", command->options.sampling.temperature,
                       "0 takes the most likely token (default); higher is more varied");
  generate->add_option("--top-k", command->options.sampling.top_k,
                       "Draw from the k most likely tokens (default: all)");
  generate->add_option("--top-p", command->options.sampling.top_p,
                       "Draw from the fewest tokens with this probability (default: 1)");
  generate->add_option("--seed", command->options.sampling.seed, "Seed of the draws (default: 0)");
  generate->add_option("--threads", command->num_threads, "CPU threads (default: all)");
  generate->callback(
      [command, &context] { context.set_action([command, &context] { return run(*command, context); }); });
}

}  // namespace cairn::apps
