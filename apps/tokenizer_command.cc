// `cairn tokenizer encode | decode | train`.
#include <algorithm>
#include <iostream>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "commands.h"
#include "data/document_reader.h"
#include "doors/clock.h"
#include "formats/json.h"
#include "text_options.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/tokenizer.h"

namespace cairn::apps {
namespace {

struct CodingOptions {
  std::string tokenizer_file;
  bool no_special_tokens = false;
};

struct TrainOptions {
  std::vector<std::string> texts;
  std::string out;
  std::string pattern = "tekken";
  TextOptions text;
  tokenizer::BpeTrainerOptions trainer;
};

// Calls work(line, out) for each line of standard input and prints what it appends.
template <class Work>
Status for_each_line(CommandContext& context, Work&& work) {
  std::string line;
  std::string out;
  for (std::int64_t number = 1; std::getline(std::cin, line); ++number) {
    out.clear();
    const Status status = work(line, out);
    if (!status.ok()) {
      return status.with_context(fmt::format("line {}", number));
    }
    context.out << out << '\n';
  }
  if (std::cin.bad()) {
    return io_error("standard input could not be read");
  }
  return ok_status();
}

Result<std::string> json_text(std::string_view line) {
  TRY_ASSIGN(const Json value, parse_json(line, JsonLimits{}));
  const Json* text = find(value, "text");
  if (text == nullptr || !as_string(*text)) {
    return bad_data("has no string field 'text'");
  }
  return std::string(*as_string(*text));
}

Result<std::int32_t> checked_id(std::optional<std::int64_t> id, std::int64_t vocab_size,
                                std::string_view shown) {
  if (!id || *id < 0 || *id >= vocab_size) {
    return bad_data(fmt::format("{} is not a token id between 0 and {}", shown, vocab_size - 1));
  }
  return static_cast<std::int32_t>(*id);
}

Result<std::vector<std::int32_t>> line_ids(std::string_view line, bool is_json, std::int64_t vocab_size) {
  std::vector<std::int32_t> ids;
  if (!is_json) {
    for (const std::string_view word : split(line, ' ')) {
      if (!word.empty()) {
        TRY_ASSIGN(const std::int32_t id, checked_id(parse_int64(word), vocab_size, word));
        ids.push_back(id);
      }
    }
    return ids;
  }
  TRY_ASSIGN(const Json value, parse_json(line, JsonLimits{}));
  const Json* list = find(value, "ids");
  if (list == nullptr || !list->is_array()) {
    return bad_data("has no list 'ids'");
  }
  for (const Json& entry : *list) {
    TRY_ASSIGN(const std::int32_t id, checked_id(as_int64(entry), vocab_size, json_kind(entry)));
    ids.push_back(id);
  }
  return ids;
}

Status encode(const CodingOptions& options, CommandContext& context) {
  TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
  tokenizer::Encoder encoder(tokenizer);
  std::vector<std::int32_t> ids;
  return for_each_line(context, [&](const std::string& line, std::string& out) -> Status {
    ids.clear();
    if (context.json) {
      TRY_ASSIGN(const std::string text, json_text(line));
      TRY(encoder.encode(text, !options.no_special_tokens, ids));
      out = fmt::format("{{\"ids\":[{}]}}", fmt::join(ids, ","));
    } else {
      TRY(encoder.encode(line, !options.no_special_tokens, ids));
      out = fmt::format("{}", fmt::join(ids, " "));
    }
    return ok_status();
  });
}

Status decode(const CodingOptions& options, CommandContext& context) {
  TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
  return for_each_line(context, [&](const std::string& line, std::string& out) -> Status {
    TRY_ASSIGN(const std::vector<std::int32_t> ids, line_ids(line, context.json, tokenizer.vocab_size()));
    const std::string text = tokenizer.decode(ids, options.no_special_tokens);
    if (context.json) {
      out = "{\"text\":";
      append_json_string(out, text);
      out += '}';
    } else {
      out = text;
    }
    return ok_status();
  });
}

Result<tokenizer::PatternStyle> pattern_style(const std::string& name) {
  using tokenizer::PatternStyle;
  for (const auto& [known, style] : {std::pair("gpt2", PatternStyle::kGpt2),
                                     {"llama3", PatternStyle::kLlama3},
                                     {"qwen", PatternStyle::kQwen},
                                     {"tekken", PatternStyle::kTekken},
                                     {"o200k", PatternStyle::kO200k}}) {
    if (name == known) {
      return style;
    }
  }
  return usage_error(fmt::format("pattern '{}': use gpt2, llama3, qwen, tekken or o200k", name));
}

Status write_files(FileSystem& files, const std::string& folder, const tokenizer::TrainedTokenizer& trained) {
  TRY(files.make_directories(folder));
  TRY(files.replace_text(folder + "/tokenizer_config.json", trained.tokenizer_config_json));
  TRY(files.replace_text(folder + "/special_tokens_map.json", trained.special_tokens_map_json));
  return files.replace_text(folder + "/tokenizer.json", trained.tokenizer_json);
}

Status train(TrainOptions& options, CommandContext& context) {
  TRY_ASSIGN(options.trainer.pattern, pattern_style(options.pattern));
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}) {
    if (context.files.exists(options.out + "/" + name)) {
      return cannot_write(fmt::format("{}/{} exists; choose another folder", options.out, name));
    }
  }
  TRY_ASSIGN(tokenizer::BpeTrainer trainer, tokenizer::BpeTrainer::create(options.trainer));
  TextTotals totals;
  TRY(for_each_document(context, options.texts, options.text, "count words", totals,
                        [&](const std::string& text) { return trainer.add_text(text); }));
  TRY_ASSIGN(const tokenizer::TrainedTokenizer trained, trainer.train());
  TRY(write_files(context.files, options.out, trained));
  if (context.json) {
    context.out << fmt::format(R"({{"vocab_size":{},"merges":{},"documents":{},"bytes":{}}})",
                               trained.vocab_size, trained.num_merges, totals.counts.documents, totals.bytes)
                << '\n';
  } else {
    context.out << fmt::format("{}: {} tokens, {} merges, from {} documents, {}\n", options.out,
                               format_count(trained.vocab_size), format_count(trained.num_merges),
                               format_count(totals.counts.documents), format_bytes(totals.bytes));
  }
  if (trained.vocab_size < options.trainer.vocab_size) {
    context.log.warning("the text has too few pairs for the vocabulary that was asked",
                        {{"asked", options.trainer.vocab_size}, {"learned", trained.vocab_size}});
  }
  return ok_status();
}

void add_coding(CLI::App& group, CommandContext& context, const char* name, const char* help,
                Status (*work)(const CodingOptions&, CommandContext&)) {
  auto options = std::make_shared<CodingOptions>();
  CLI::App* command = group.add_subcommand(name, help);
  command->add_option("--tokenizer", options->tokenizer_file, "tokenizer.json")->required();
  command->add_flag("--no-special-tokens", options->no_special_tokens,
                    "Encode without the template's tokens; decode without special tokens");
  command->callback([options, work, &context] {
    context.set_action([options, work, &context] { return work(*options, context); });
  });
}

void add_train(CLI::App& group, CommandContext& context) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = group.add_subcommand("train", "Train a byte-level BPE tokenizer on text files");
  command->add_option("--text", options->texts, "Text or JSON lines files")->required();
  command->add_option("--vocab-size", options->trainer.vocab_size, "Tokens in all")->required();
  command->add_option("--out", options->out, "Folder for tokenizer.json and its companions")->required();
  command->add_option("--pattern", options->pattern, "gpt2, llama3, qwen, tekken or o200k")
      ->capture_default_str();
  command
      ->add_option("--min-frequency", options->trainer.min_frequency, "Least count of a pair that is merged")
      ->capture_default_str();
  command->add_option("--special-token", options->trainer.special_tokens,
                      "Special tokens, ids from 0 (default: <unk> <s> </s> <pad>)");
  add_text_options(*command, options->text);
  command->callback(
      [options, &context] { context.set_action([options, &context] { return train(*options, context); }); });
}

}  // namespace

void add_tokenizer_command(CLI::App& app, CommandContext& context) {
  CLI::App* group = app.add_subcommand("tokenizer", "Encode and decode text, train a tokenizer");
  group->require_subcommand(1);
  add_coding(*group, context, "encode", "Lines of text to lines of ids (--json: {\"text\"} to {\"ids\"})",
             encode);
  add_coding(*group, context, "decode", "Lines of ids to lines of text (--json: {\"ids\"} to {\"text\"})",
             decode);
  add_train(*group, context);
}

}  // namespace cairn::apps
