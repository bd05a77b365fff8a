// `cairn tokenizer train` and `cairn tokenizer import`: what writes a new tokenizer.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "commands.h"
#include "device/cpu_facts.h"
#include "progress_bar.h"
#include "text_options.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/tekken.h"
#include "tokenizer/tokenizer.h"

namespace cairn::apps {
namespace {

struct ImportOptions {
  std::string file;
  std::string out;
};

struct TrainOptions {
  std::vector<std::string> texts;
  std::string out;
  std::string pattern = "tekken";
  int num_threads = 0;  // 0: all CPUs that this process may use
  std::uint64_t memory_bytes = 0;
  TextOptions text;
  tokenizer::BpeTrainerOptions trainer;
};

// Refuses a folder that has a tokenizer already.
Status check_is_new(FileSystem& files, const std::string& folder) {
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}) {
    if (files.exists(folder + "/" + name)) {
      return cannot_write(fmt::format("{}/{} exists; choose another folder", folder, name));
    }
  }
  return ok_status();
}

// tokenizer.json last: where it is, the others are.
Status write_files(FileSystem& files, const std::string& folder, const tokenizer::TokenizerFiles& texts) {
  TRY(files.make_directories(folder));
  TRY(files.replace_text(folder + "/tokenizer_config.json", texts.tokenizer_config_json));
  TRY(files.replace_text(folder + "/special_tokens_map.json", texts.special_tokens_map_json));
  return files.replace_text(folder + "/tokenizer.json", texts.tokenizer_json);
}

Result<tokenizer::TrainedTokenizer> learn(tokenizer::BpeTrainer& trainer, std::int64_t vocab_size,
                                          CommandContext& context) {
  ProgressBar bar(context, "learn merges", "token", vocab_size);
  return trainer.train([&](std::int64_t done, std::int64_t) { bar.update(done); });
}

Status train(TrainOptions& options, CommandContext& context) {
  tokenizer::BpeTrainerOptions& trainer_options = options.trainer;
  std::erase(trainer_options.special_tokens, "");
  trainer_options.regex = tokenizer::regex_of_style(options.pattern).value_or(options.pattern);
  trainer_options.num_threads = options.num_threads > 0 ? options.num_threads : num_usable_cpus();
  trainer_options.memory_bytes = static_cast<std::int64_t>(
      std::min<std::uint64_t>(options.memory_bytes, std::numeric_limits<std::int64_t>::max()));
  trainer_options.files = &context.files;
  trainer_options.folder_for_words = options.out + "/words.tmp";
  TRY(check_is_new(context.files, options.out));
  TRY_ASSIGN(tokenizer::BpeTrainer trainer, tokenizer::BpeTrainer::create(trainer_options));
  TextTotals totals;
  TRY(for_each_document(context, options.texts, options.text, "count words", totals,
                        [&](std::string_view text) { return trainer.add_text(text); }));
  TRY_ASSIGN(const tokenizer::TrainedTokenizer trained, learn(trainer, trainer_options.vocab_size, context));
  TRY(write_files(context.files, options.out, trained.files));
  if (context.json) {
    context.out << fmt::format(R"({{"vocab_size":{},"merges":{},"words":{},"documents":{},"bytes":{}}})",
                               trained.vocab_size, trained.num_merges, trained.num_words,
                               totals.counts.documents, totals.bytes)
                << '\n';
  } else {
    context.out << fmt::format("{}: {} tokens, {} merges, from {} words in {} documents, {}\n", options.out,
                               format_count(trained.vocab_size), format_count(trained.num_merges),
                               format_count(trained.num_words), format_count(totals.counts.documents),
                               format_bytes(totals.bytes));
  }
  if (trained.vocab_size < options.trainer.vocab_size) {
    context.log.warning("the text has too few pairs for the vocabulary that was asked",
                        {{"asked", options.trainer.vocab_size}, {"learned", trained.vocab_size}});
  }
  return ok_status();
}

Status import(const ImportOptions& options, CommandContext& context) {
  TRY(check_is_new(context.files, options.out));
  TRY_ASSIGN(const std::string text, context.files.read_text(options.file));
  Result<tokenizer::TekkenImport> imported = tokenizer::import_tekken(text);
  if (!imported.ok()) {
    return imported.status().with_context(options.file);
  }
  // The file may ask for a pattern that the tokenizer does not know.
  const Result<tokenizer::Tokenizer> loaded = tokenizer::Tokenizer::from_json(imported->files.tokenizer_json);
  if (!loaded.ok()) {
    return loaded.status().with_context(fmt::format("{}, as a tokenizer.json", options.file));
  }
  TRY(write_files(context.files, options.out, imported->files));
  if (context.json) {
    context.out << fmt::format(R"({{"vocab_size":{},"special_tokens":{},"merges":{}}})", imported->vocab_size,
                               imported->num_special, imported->num_merges)
                << '\n';
  } else {
    context.out << fmt::format("{}: {} tokens, {} of them special, {} merges\n", options.out,
                               format_count(imported->vocab_size), format_count(imported->num_special),
                               format_count(imported->num_merges));
  }
  return ok_status();
}

// Options that change how long training takes and what it needs. All but one leave the result as it is.
void add_cost_options(CLI::App& command, TrainOptions& options) {
  command.add_option("--threads", options.num_threads, "CPU threads (default: all)")
      ->check(CLI::Range(0, 1024));
  options.memory_bytes = static_cast<std::uint64_t>(options.trainer.memory_bytes);
  command.add_option("--memory", options.memory_bytes, "Most memory for words (default: 4GiB)")
      ->transform(CLI::AsSizeValue(false));
  command
      .add_option("--min-word-count", options.trainer.min_word_count,
                  "Leave out words that come less often: less memory, counts without rare words")
      ->capture_default_str();
}

void add_train(CLI::App& group, CommandContext& context) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = group.add_subcommand("train", "Train a byte-level BPE tokenizer on text files");
  command->add_option("--text", options->texts, "Text or JSON lines files")->required();
  command->add_option("--vocab-size", options->trainer.vocab_size, "Tokens in all")->required();
  command->add_option("--out", options->out, "Folder for tokenizer.json and its companions")->required();
  command
      ->add_option("--pattern", options->pattern, "gpt2, llama3, qwen, tekken, o200k or a regular expression")
      ->capture_default_str();
  command
      ->add_option("--min-frequency", options->trainer.min_frequency, "Least count of a pair that is merged")
      ->capture_default_str();
  command->add_option("--max-token-length", options->trainer.token_length_max,
                      "Merge no two tokens, one of them learned, to this many bytes or more (default: any)");
  command->add_option("--special-token", options->trainer.special_tokens,
                      "Special tokens, ids from 0; \"\" for none (default: <unk> <s> </s> <pad>)");
  const auto add_role = [&](const char* name, std::string& token, const char* help) {
    command->add_option(name, token, help)->capture_default_str();
  };
  add_role("--bos-token", options->trainer.roles.bos, "Special token put before every text; \"\" for none");
  add_role("--eos-token", options->trainer.roles.eos, "Special token at the end of documents; \"\" for none");
  add_role("--pad-token", options->trainer.roles.pad, "Special token for padding; \"\" for none");
  add_role("--unk-token", options->trainer.roles.unk, "Special token for the unknown; \"\" for none");
  add_cost_options(*command, *options);
  add_text_options(*command, options->text);
  command->callback(
      [options, &context] { context.set_action([options, &context] { return train(*options, context); }); });
}

void add_import(CLI::App& group, CommandContext& context) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command =
      group.add_subcommand("import", "Turn a tekken file of Mistral into tokenizer.json and its companions");
  command->add_option("file", options->file, "tekken.json")->required();
  command->add_option("--out", options->out, "Folder for tokenizer.json and its companions")->required();
  command->callback(
      [options, &context] { context.set_action([options, &context] { return import(*options, context); }); });
}

}  // namespace

void add_tokenizer_train_commands(CLI::App& group, CommandContext& context) {
  add_train(group, context);
  add_import(group, context);
}

}  // namespace cairn::apps
