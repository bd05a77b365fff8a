// `cairn data tokenize | inspect | check`.
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "commands.h"
#include "data/document_tokenizer.h"
#include "data/token_shard.h"
#include "doors/clock.h"
#include "text_options.h"
#include "tokenizer/tokenizer.h"

namespace cairn::apps {
namespace {

struct TokenizeOptions {
  std::string tokenizer_file;
  std::string out;
  std::vector<std::string> paths;
  TextOptions text;
  bool no_bos = false;
  bool no_eos = false;
};

struct ShardOptions {
  std::string prefix;
  std::string tokenizer_file;
  std::int64_t vocab_size = 0;
  std::int64_t samples = 3;
};

constexpr std::int64_t kShownTokens = 64;  // of a sample
constexpr std::int64_t kReadTokens = std::int64_t{1} << 16;

Status tokenize(const TokenizeOptions& options, CommandContext& context) {
  TRY_ASSIGN(tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
  const std::int64_t vocab_size = tokenizer.vocab_size();
  data::DocumentEnds ends{!options.no_bos, !options.no_eos};
  TRY_ASSIGN(data::DocumentTokenizer encoder, data::DocumentTokenizer::create(std::move(tokenizer), ends));
  TRY_ASSIGN(data::TokenShardWriter writer,
             data::TokenShardWriter::create(context.files, options.out, vocab_size));
  const double start_s = context.clock.monotonic_s();
  TextTotals totals;
  std::vector<std::int32_t> ids;
  const auto add_document = [&](const std::string& text) -> Status {
    TRY(encoder.encode(text, ids));
    return writer.add_document(ids);
  };
  TRY(for_each_document(context, options.paths, options.text, "tokenize", totals, add_document));
  if (writer.num_documents() == 0) {
    return bad_data("the files have no text, so no shard is written");
  }
  TRY(writer.finish());
  const double elapsed_s = std::max(context.clock.monotonic_s() - start_s, 1e-9);
  const auto bytes = static_cast<double>(totals.bytes);
  if (context.json) {
    context.out
        << fmt::format(
               R"({{"documents":{},"tokens":{},"bytes":{},"empty_documents":{},"bad_bytes":{},"seconds":{:.3f}}})",
               writer.num_documents(), writer.num_tokens(), totals.bytes, totals.counts.empty,
               totals.counts.bad_bytes, elapsed_s)
        << '\n';
    return ok_status();
  }
  context.out << fmt::format(
      "{}: {} documents, {} tokens from {} ({:.2f} bytes per token, {:.1f} MB/s)\n", options.out,
      format_count(writer.num_documents()), format_count(writer.num_tokens()), format_bytes(totals.bytes),
      bytes / static_cast<double>(std::max<std::int64_t>(1, writer.num_tokens())), bytes / elapsed_s * 1e-6);
  if (totals.counts.empty > 0) {
    context.out << fmt::format("{} empty documents left out\n", format_count(totals.counts.empty));
  }
  return ok_status();
}

std::string lengths_text(const TokenIndex& index) {
  std::vector<std::int32_t> lengths = index.lengths;
  if (lengths.empty()) {
    return "no sequences\n";
  }
  std::sort(lengths.begin(), lengths.end());
  const auto at = [&](double share) {
    return lengths[static_cast<std::size_t>(share * static_cast<double>(lengths.size() - 1))];
  };
  return fmt::format("lengths: least {}, median {}, mean {:.1f}, 99 % {}, most {}\n",
                     format_count(lengths.front()), format_count(at(0.5)),
                     static_cast<double>(index.num_tokens) / static_cast<double>(lengths.size()),
                     format_count(at(0.99)), format_count(lengths.back()));
}

// The first tokens of a sequence, decoded.
Result<std::string> sample_text(const data::TokenShard& shard, const tokenizer::Tokenizer& tokenizer,
                                std::int64_t sequence) {
  const std::int64_t length = shard.index().lengths[static_cast<std::size_t>(sequence)];
  std::vector<std::int32_t> ids(static_cast<std::size_t>(std::min(length, kShownTokens)));
  TRY(shard.read(sequence, 0, tokenizer.vocab_size(), ids));
  std::string quoted;
  append_json_string(quoted, tokenizer.decode(ids, false));
  return fmt::format("[{}] {}{}\n", sequence, quoted, length > kShownTokens ? " ..." : "");
}

Status inspect(const ShardOptions& options, CommandContext& context) {
  TRY_ASSIGN(const data::TokenShard shard, data::TokenShard::open(context.files, options.prefix));
  const TokenIndex& index = shard.index();
  if (context.json) {
    context.out << fmt::format(
                       R"({{"documents":{},"sequences":{},"tokens":{},"type":"{}","fingerprint":"{}"}})",
                       index.num_documents(), index.num_sequences(), index.num_tokens,
                       token_type_name(index.type), shard.fingerprint())
                << '\n';
    return ok_status();
  }
  context.out << fmt::format("{}: {} documents, {} sequences, {} tokens of type {}\n", options.prefix,
                             format_count(index.num_documents()), format_count(index.num_sequences()),
                             format_count(index.num_tokens), token_type_name(index.type));
  context.out << lengths_text(index) << "fingerprint " << shard.fingerprint() << '\n';
  if (options.tokenizer_file.empty()) {
    return ok_status();
  }
  TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
  const std::int64_t count = std::min(options.samples, index.num_sequences());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t sequence = i * index.num_sequences() / count;  // spread over the shard
    TRY_ASSIGN(const std::string text, sample_text(shard, tokenizer, sequence));
    context.out << text;
  }
  return ok_status();
}

Status check(const ShardOptions& options, CommandContext& context) {
  TRY_ASSIGN(const data::TokenShard shard, data::TokenShard::open(context.files, options.prefix));
  std::int64_t vocab_size = options.vocab_size > 0 ? options.vocab_size : std::int64_t{1} << 31;
  if (!options.tokenizer_file.empty()) {
    TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
    vocab_size = tokenizer.vocab_size();
  }
  std::vector<std::int32_t> ids(static_cast<std::size_t>(kReadTokens));
  std::int32_t largest = -1;
  for (std::int64_t sequence = 0; sequence < shard.num_sequences(); ++sequence) {
    const std::int64_t length = shard.index().lengths[static_cast<std::size_t>(sequence)];
    for (std::int64_t offset = 0; offset < length; offset += kReadTokens) {
      const auto part =
          std::span(ids).first(static_cast<std::size_t>(std::min(kReadTokens, length - offset)));
      TRY(shard.read(sequence, offset, vocab_size, part));
      largest = std::max(largest, *std::max_element(part.begin(), part.end()));
    }
  }
  if (context.json) {
    context.out << fmt::format(R"({{"tokens":{},"largest_id":{},"fingerprint":"{}"}})", shard.num_tokens(),
                               largest, shard.fingerprint())
                << '\n';
  } else {
    context.out << fmt::format("{}: good; {} tokens read, largest id {}, fingerprint {}\n", options.prefix,
                               format_count(shard.num_tokens()), largest, shard.fingerprint());
  }
  return ok_status();
}

void add_tokenize(CLI::App& group, CommandContext& context) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = group.add_subcommand("tokenize", "Turn text files into a shard of token ids");
  command->add_option("--tokenizer", options->tokenizer_file, "tokenizer.json")->required();
  command->add_option("--out", options->out, "PREFIX of PREFIX.bin and PREFIX.idx")->required();
  command->add_option("files", options->paths, "Text or JSON lines files")->required();
  command->add_flag("--no-bos", options->no_bos, "No BOS before a document");
  command->add_flag("--no-eos,!--append-eos", options->no_eos,
                    "No EOS behind a document (it is the default)");
  add_text_options(*command, options->text);
  command->callback([options, &context] {
    context.set_action([options, &context] { return tokenize(*options, context); });
  });
}

CLI::App* add_shard_command(CLI::App& group, CommandContext& context, const char* name, const char* help,
                            const std::shared_ptr<ShardOptions>& options,
                            Status (*work)(const ShardOptions&, CommandContext&)) {
  CLI::App* command = group.add_subcommand(name, help);
  command->add_option("prefix", options->prefix, "PREFIX of PREFIX.bin and PREFIX.idx")->required();
  command->add_option("--tokenizer", options->tokenizer_file, "tokenizer.json that the shard was made with");
  command->callback([options, work, &context] {
    context.set_action([options, work, &context] { return work(*options, context); });
  });
  return command;
}

}  // namespace

void add_data_command(CLI::App& app, CommandContext& context) {
  CLI::App* group = app.add_subcommand("data", "Make, look at and check shards of tokens");
  group->require_subcommand(1);
  add_tokenize(*group, context);
  auto shown = std::make_shared<ShardOptions>();
  add_shard_command(*group, context, "inspect", "Counts, lengths and decoded samples of a shard", shown,
                    inspect)
      ->add_option("--samples", shown->samples, "Documents to decode")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  auto checked = std::make_shared<ShardOptions>();
  add_shard_command(*group, context, "check", "Read a whole shard and check every id", checked, check)
      ->add_option("--vocab-size", checked->vocab_size, "Ids must be below it")
      ->check(CLI::PositiveNumber);
}

}  // namespace cairn::apps
