// `cairn data tokenize`.
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/faults.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "commands.h"
#include "data/tokenize.h"
#include "device/cpu_facts.h"
#include "doors/clock.h"
#include "progress_bar.h"
#include "text_options.h"

namespace cairn::apps {
namespace {

struct TokenizeOptions {
  std::string tokenizer_file;
  std::vector<std::string> paths;
  std::string paths_file;
  std::vector<std::string> columns;  // NAME=FIELD
  TextOptions text;
  data::TokenizeRequest request;
  bool no_bos = false;
  bool no_eos = false;
};

// Without --origin: the fields that corpora usually have.
constexpr const char* kUsualColumns[][2] = {  // NOLINT(modernize-avoid-c-arrays)
    {"url", "url"},
    {"language", "language"},
    {"licence", "license"}};

Status read_columns(const std::vector<std::string>& given, data::TokenizeRequest& request) {
  Faults faults;
  const auto add = [&](const std::string& name, const std::string& field) {
    request.column_names.push_back(name);
    request.text.columns.push_back(field);
  };
  if (given.empty()) {
    for (const auto& [name, field] : kUsualColumns) {
      add(name, field);
    }
    return ok_status();
  }
  for (const std::string& text : given) {
    const std::size_t equal = text.find('=');
    const std::string name = text.substr(0, equal);
    const bool is_there = std::count(request.column_names.begin(), request.column_names.end(), name) > 0;
    if (text == "none" && given.size() == 1) {
      return ok_status();
    }
    if (name.empty() || equal == text.size() - 1) {
      faults.add("--origin", text, "has no name or no field", "write NAME=FIELD, or FIELD alone");
    } else if (is_there) {
      faults.add("--origin", text, "the name is there already", "give each column one name");
    }
    add(name, equal == std::string::npos ? text : text.substr(equal + 1));
  }
  if (given.size() > static_cast<std::size_t>(kOriginColumnsMax)) {
    faults.add("--origin", fmt::format("{} columns", given.size()), "are too many",
               fmt::format("give at most {}", kOriginColumnsMax));
  }
  request.text.requires_columns = true;
  return faults.to_status(StatusCode::kUsage, "the origins cannot be kept like this");
}

void print(const TokenizeOptions& options, const data::TokenizeResult& result, std::int64_t bytes,
           double elapsed_s, CommandContext& context) {
  const data::TokenizeProgress& all = result.progress;
  if (context.json) {
    context.out
        << fmt::format(
               R"({{"documents":{},"tokens":{},"bytes":{},"text_bytes":{},"empty_documents":{},"bad_bytes":{},)"
               R"("resumed_documents":{},"seconds":{:.3f}}})",
               all.shard.num_documents, all.shard.num_tokens, bytes, all.counts.text_bytes, all.counts.empty,
               all.counts.bad_bytes, result.resumed_documents, elapsed_s)
        << '\n';
    return;
  }
  const auto text_bytes = static_cast<double>(all.counts.text_bytes);
  context.out << fmt::format(
      "{}: {} documents, {} tokens from {} ({:.2f} bytes per token{})\n", options.request.prefix,
      format_count(all.shard.num_documents), format_count(all.shard.num_tokens), format_bytes(bytes),
      text_bytes / static_cast<double>(std::max<std::int64_t>(1, all.shard.num_tokens)),
      result.resumed_documents > 0 ? "" : fmt::format(", {:.1f} MB/s", text_bytes / elapsed_s * 1e-6));
  if (result.resumed_documents > 0) {
    context.out << fmt::format("went on behind {} documents that were there\n",
                               format_count(result.resumed_documents));
  }
  if (all.counts.empty > 0) {
    context.out << fmt::format("{} empty documents left out\n", format_count(all.counts.empty));
  }
  for (std::size_t i = 0; i < all.filled.size(); ++i) {
    context.out << fmt::format("{} has {} of {} documents\n", options.request.column_names[i],
                               format_count(all.filled[i]), format_count(all.shard.num_documents));
  }
}

Status tokenize(TokenizeOptions& options, CommandContext& context) {
  data::TokenizeRequest& request = options.request;
  TRY_ASSIGN(const std::string tokenizer_text, context.files.read_text(options.tokenizer_file));
  request.tokenizer_hash = xxh3_128(tokenizer_text).to_hex();
  TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
  TRY_ASSIGN(request.text, text_options(options.text));
  TRY(read_columns(options.columns, request));
  if (!options.paths_file.empty()) {
    TRY_ASSIGN(const std::string lines, context.files.read_text(options.paths_file));
    for (const std::string_view line : split(lines, '\n')) {
      if (!trim(line).empty()) {
        options.paths.emplace_back(trim(line));
      }
    }
  }
  TRY_ASSIGN(request.inputs, list_inputs(context, options.paths, options.text));
  request.ends = {!options.no_bos, !options.no_eos};
  const std::int64_t bytes = total_bytes(request.inputs);
  const double start_s = context.clock.monotonic_s();
  ProgressBar bar(context, "tokenize", "KiB", bytes >> 10);
  Result<data::TokenizeResult> result = data::tokenize(
      context.files, context.clock, tokenizer, request,
      [&bar](const data::TokenizeProgress& progress, std::int64_t done, std::int64_t at_start) {
        bar.update(done >> 10, format_short_count(static_cast<double>(progress.shard.num_tokens)) + " tokens",
                   at_start >> 10);
      });
  TRY(result.status());
  if (result->progress.counts.bad_bytes > 0) {
    context.log.warning("bytes that are not UTF-8 were replaced",
                        {{"bytes", result->progress.counts.bad_bytes}});
  }
  print(options, *result, bytes, std::max(context.clock.monotonic_s() - start_s, 1e-9), context);
  return ok_status();
}

}  // namespace

void add_data_tokenize_command(CLI::App& data, CommandContext& context) {
  auto options = std::make_shared<TokenizeOptions>();
  options->request.num_threads = num_usable_cpus();
  CLI::App* command = data.add_subcommand("tokenize", "Turn text files into a shard of token ids");
  command->add_option("--tokenizer", options->tokenizer_file, "tokenizer.json")->required();
  command->add_option("--out", options->request.prefix, "PREFIX of PREFIX.bin, PREFIX.idx and PREFIX.origins")
      ->required();
  command->add_option("files", options->paths,
                      "Files, folders or patterns; text, JSON lines or Parquet, also as .gz and .zst");
  command->add_option("--files-from", options->paths_file, "A file with one path a line");
  command->add_flag("--no-bos", options->no_bos, "No BOS before a document");
  command->add_flag("--no-eos,!--append-eos", options->no_eos,
                    "No EOS behind a document (it is the default)");
  command
      ->add_option(
          "--origin", options->columns,
          "Keep a field of JSON lines or Parquet with each document: NAME=FIELD, repeatable; none for none "
          "(default: url=url language=language licence=license)")
      ->allow_extra_args(false);
  command->add_option("--threads", options->request.num_threads, "Threads that tokenize")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--commit-every", options->request.commit_every_s, "Seconds of work that a kill may cost")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--restart", options->request.restart,
                    "Drop unfinished work instead of going on with it");
  add_text_options(*command, options->text);
  command->callback([options, &context] {
    context.set_action([options, &context] { return tokenize(*options, context); });
  });
}

}  // namespace cairn::apps
