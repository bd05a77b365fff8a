// `cairn data inspect | check`, and the group that the other commands on shards are in.
#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "commands.h"
#include "data/shard_check.h"
#include "data/token_shard.h"
#include "formats/document_origins.h"
#include "progress_bar.h"
#include "text_options.h"
#include "tokenizer/tokenizer.h"

namespace cairn::apps {
namespace {

struct ShardOptions {
  std::string prefix;
  std::string tokenizer_file;
  std::int64_t vocab_size = 0;
  std::int64_t samples = 3;
};

constexpr std::int64_t kShownTokens = 64;  // of a sample
constexpr std::int64_t kBarWidth = 30;     // of the histogram

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

// Documents and tokens by length, in powers of two.
struct LengthBucket {
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::int64_t sequences = 0;
  std::int64_t tokens = 0;
};
std::vector<LengthBucket> length_histogram(const TokenIndex& index) {
  std::vector<LengthBucket> buckets;
  for (const std::int32_t length : index.lengths) {
    const auto b = static_cast<std::size_t>(std::bit_width(static_cast<std::uint32_t>(length)));
    while (buckets.size() <= b) {
      const std::int64_t least = buckets.empty() ? 0 : std::int64_t{1} << (buckets.size() - 1);
      buckets.push_back({least, std::max<std::int64_t>(0, 2 * least - 1), 0, 0});
    }
    ++buckets[b].sequences;
    buckets[b].tokens += length;
  }
  return buckets;
}

std::string histogram_text(const std::vector<LengthBucket>& buckets) {
  std::int64_t most = 1;
  for (const LengthBucket& bucket : buckets) {
    most = std::max(most, bucket.sequences);
  }
  std::string text = fmt::format("{:>23}  {:>12}  {:>16}\n", "tokens in a document", "documents", "tokens");
  for (const LengthBucket& bucket : buckets) {
    const auto width = static_cast<std::size_t>(kBarWidth * bucket.sequences / most);
    text += fmt::format("{:>10} - {:>10}  {:>12}  {:>16}  {}\n", format_count(bucket.least),
                        format_count(bucket.most), format_count(bucket.sequences),
                        format_count(bucket.tokens), std::string(width, '#'));
  }
  return text;
}

std::string histogram_json(const std::vector<LengthBucket>& buckets) {
  std::string text;
  for (const LengthBucket& bucket : buckets) {
    text += fmt::format(R"({}{{"least":{},"most":{},"sequences":{},"tokens":{}}})", text.empty() ? "" : ",",
                        bucket.least, bucket.most, bucket.sequences, bucket.tokens);
  }
  return text;
}

// Where a document came from: " a.jsonl byte 120 url=https://...", or nothing.
Result<std::string> origin_text(const DocumentOrigins& origins, std::int64_t document) {
  const std::int64_t b = origins.block_of(document);
  TRY_ASSIGN(const OriginsBlock block, origins.read_block(b));
  const std::int64_t i = document - origins.blocks()[static_cast<std::size_t>(b)].first_document;
  std::string text = fmt::format(
      " {} at {}", origins.names().sources[static_cast<std::size_t>(block.source(i))], block.offset(i));
  for (std::size_t c = 0; c < origins.names().columns.size(); ++c) {
    const std::string_view value = block.column(static_cast<std::int64_t>(c), i);
    if (!value.empty()) {
      text += fmt::format(" {}={}", origins.names().columns[c], value);
    }
  }
  return text;
}

// The first tokens of a sequence, decoded.
Result<std::string> sample_text(const data::TokenShard& shard, const tokenizer::Tokenizer& tokenizer,
                                std::int64_t sequence) {
  const std::int64_t length = shard.index().lengths[static_cast<std::size_t>(sequence)];
  std::vector<std::int32_t> ids(static_cast<std::size_t>(std::min(length, kShownTokens)));
  TRY(shard.read(sequence, 0, tokenizer.vocab_size(), ids));
  std::string quoted;
  append_json_string(quoted, tokenizer.decode(ids, false));
  return fmt::format("{}{}", quoted, length > kShownTokens ? " ..." : "");
}

Status show_samples(const ShardOptions& options, const data::TokenShard& shard,
                    const std::optional<DocumentOrigins>& origins, CommandContext& context) {
  TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
  const std::int64_t num_sequences = shard.index().num_sequences();
  const std::int64_t count = std::min(options.samples, num_sequences);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t sequence = i * num_sequences / count;  // spread over the shard
    TRY_ASSIGN(const std::string text, sample_text(shard, tokenizer, sequence));
    std::string origin;
    if (origins && origins->num_documents() == num_sequences) {
      TRY_ASSIGN(origin, origin_text(*origins, sequence));
    }
    context.out << fmt::format("[{}]{} {}\n", sequence, origin, text);
  }
  return ok_status();
}

Status inspect(const ShardOptions& options, CommandContext& context) {
  TRY_ASSIGN(const data::TokenShard shard, data::TokenShard::open(context.files, options.prefix));
  std::optional<DocumentOrigins> origins;
  if (context.files.exists(options.prefix + ".origins")) {
    TRY_ASSIGN(origins, DocumentOrigins::open(context.files, options.prefix + ".origins"));
  }
  const TokenIndex& index = shard.index();
  const std::vector<LengthBucket> histogram = length_histogram(index);
  if (context.json) {
    context.out
        << fmt::format(
               R"({{"documents":{},"sequences":{},"tokens":{},"type":"{}","fingerprint":"{}","sources":{},"lengths":[{}]}})",
               index.num_documents(), index.num_sequences(), index.num_tokens, token_type_name(index.type),
               shard.fingerprint(), origins ? origins->names().sources.size() : 0, histogram_json(histogram))
        << '\n';
    return ok_status();
  }
  context.out << fmt::format("{}: {} documents, {} sequences, {} tokens of type {}\n", options.prefix,
                             format_count(index.num_documents()), format_count(index.num_sequences()),
                             format_count(index.num_tokens), token_type_name(index.type));
  context.out << lengths_text(index) << histogram_text(histogram) << "fingerprint " << shard.fingerprint()
              << '\n';
  context.out << (origins
                      ? fmt::format("origins: {} sources; columns {}\n",
                                    format_count(static_cast<std::int64_t>(origins->names().sources.size())),
                                    fmt::join(origins->names().columns, ", "))
                      : "no origins\n");
  return options.tokenizer_file.empty() ? ok_status() : show_samples(options, shard, origins, context);
}

Status check(const ShardOptions& options, CommandContext& context) {
  data::ShardCheckRequest request;
  request.prefix = options.prefix;
  if (!options.tokenizer_file.empty()) {
    TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
    request.vocab_size = tokenizer.vocab_size();
    request.eos_id = tokenizer.eos_id();
  }
  request.vocab_size = options.vocab_size > 0 ? options.vocab_size : request.vocab_size;
  const auto check_with_bar = [&] {
    ProgressBar bar(context, "check", "token", 0);
    return data::check_shard(context.files, request, [&bar](std::int64_t done, std::int64_t total) {
      bar.set_total(total);
      bar.update(done);
    });
  };
  TRY_ASSIGN(const data::ShardCheck check, check_with_bar());
  if (context.json) {
    std::string faults;
    for (const std::string& fault : check.faults) {
      faults += faults.empty() ? "" : ",";
      append_json_string(faults, fault);
    }
    context.out
        << fmt::format(
               R"({{"documents":{},"tokens":{},"largest_id":{},"empty_documents":{},"without_eos":{},"checksums":{},"fingerprint":"{}","num_faults":{},"faults":[{}]}})",
               check.num_documents, check.num_tokens, check.largest_id, check.empty_documents,
               check.without_eos, check.has_origins, check.fingerprint, check.num_faults, faults)
        << '\n';
  }
  if (check.num_faults > 0) {
    return bad_data(fmt::format("{} is damaged, {} faults:\n  {}", options.prefix, check.num_faults,
                                fmt::join(check.faults, "\n  ")));
  }
  if (!context.json) {
    context.out << fmt::format("{}: good; {} tokens read, largest id {}, fingerprint {}\n", options.prefix,
                               format_count(check.num_tokens), check.largest_id, check.fingerprint);
    context.out << (check.has_origins ? "the ids have the checksums that they were written with\n"
                                      : "no origins, so no checksums of the ids\n");
    if (check.without_eos > 0) {
      context.out << "no document ends with EOS: the shard was made without\n";
    }
  }
  return ok_status();
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
  add_data_tokenize_command(*group, context);
  add_data_filter_command(*group, context);
  auto shown = std::make_shared<ShardOptions>();
  add_shard_command(*group, context, "inspect", "Counts, lengths and decoded samples of a shard", shown,
                    inspect)
      ->add_option("--samples", shown->samples, "Documents to decode")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  auto checked = std::make_shared<ShardOptions>();
  add_shard_command(*group, context, "check", "Read a whole shard and list what is damaged", checked, check)
      ->add_option("--vocab-size", checked->vocab_size, "Ids must be below it")
      ->check(CLI::PositiveNumber);
  add_data_order_commands(*group, context);
}

}  // namespace cairn::apps
