// `cairn tokenizer encode | decode`, and the group of the tokenizer commands.
#include <atomic>
#include <functional>
#include <iostream>
#include <istream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "base/text.h"
#include "commands.h"
#include "device/cpu_facts.h"
#include "device/thread_pool.h"
#include "formats/json.h"
#include "formats/json_line.h"
#include "text_options.h"
#include "tokenizer/tokenizer.h"

namespace cairn::apps {
namespace {

struct CodingOptions {
  std::string tokenizer_file;
  bool no_special_tokens = false;
  int num_threads = 0;  // 0: all CPUs that this process may use
};

// Appends to `out` what comes of a line. One per thread.
using LineCoder = std::function<Status(std::string_view line, std::string& out)>;

// What is there to read, up to some megabytes; waits for one line only, so that who writes a line gets its answer.
void read_lines(std::istream& in, std::vector<std::string>& lines) {
  constexpr std::size_t kBytesMax = std::size_t{4} << 20;
  lines.clear();
  std::string line;
  std::size_t num_bytes = 0;
  while (num_bytes < kBytesMax && (lines.empty() || in.rdbuf()->in_avail() > 0) && std::getline(in, line)) {
    num_bytes += line.size() + 1;
    lines.push_back(std::move(line));
  }
}

struct CodedLine {
  std::string text;
  Status status = ok_status();
};

// Prints what `make_coder` makes of each line of standard input, in order; ends at the first that fails.
Status code_lines(const CodingOptions& options, CommandContext& context,
                  const std::function<LineCoder()>& make_coder) {
  std::ios::sync_with_stdio(false);  // otherwise nobody can say what is there to read
  ThreadPool pool(options.num_threads > 0 ? options.num_threads : num_usable_cpus());
  std::vector<LineCoder> coders;
  coders.reserve(static_cast<std::size_t>(pool.num_threads()));
  for (int i = 0; i < pool.num_threads(); ++i) {
    coders.push_back(make_coder());
  }
  std::vector<std::string> lines;
  std::vector<CodedLine> coded;
  std::int64_t number = 0;
  for (read_lines(std::cin, lines); !lines.empty(); read_lines(std::cin, lines)) {
    coded.assign(lines.size(), {});
    std::atomic<std::size_t> next{0};
    pool.run([&](int thread) {
      for (std::size_t i = next++; i < lines.size(); i = next++) {
        coded[i].status = coders[static_cast<std::size_t>(thread)](lines[i], coded[i].text);
      }
    });
    for (const CodedLine& line : coded) {
      ++number;
      if (!line.status.ok()) {
        context.out.flush();
        return line.status.with_context(fmt::format("line {}", number));
      }
      context.out << line.text << '\n';
    }
    context.out.flush();
  }
  return std::cin.bad() ? io_error("standard input could not be read") : ok_status();
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

// One line's ids.
class EncodingCoder {
 public:
  EncodingCoder(const tokenizer::Tokenizer& tokenizer, bool adds_special_tokens, bool is_json)
      : encoder_(tokenizer), json_({"text"}), adds_special_tokens_(adds_special_tokens), is_json_(is_json) {}

  Status run(std::string_view line, std::string& out) {
    ids_.clear();
    if (!is_json_) {
      TRY(encoder_.encode(line, adds_special_tokens_, ids_));
      fmt::format_to(std::back_inserter(out), "{}", fmt::join(ids_, " "));
      return ok_status();
    }
    TRY(json_.read(line));
    if (json_.value(0).kind != JsonLineReader::Kind::kString) {
      return bad_data("has no string field 'text'");
    }
    TRY(encoder_.encode(json_.value(0).text, adds_special_tokens_, ids_));
    fmt::format_to(std::back_inserter(out), "{{\"ids\":[{}]}}", fmt::join(ids_, ","));
    return ok_status();
  }

 private:
  tokenizer::Encoder encoder_;
  JsonLineReader json_;
  std::vector<std::int32_t> ids_;
  bool adds_special_tokens_;
  bool is_json_;
};

Status encode(const CodingOptions& options, CommandContext& context) {
  TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
  return code_lines(options, context, [&]() -> LineCoder {
    const auto coder = std::make_shared<EncodingCoder>(tokenizer, !options.no_special_tokens, context.json);
    return [coder](std::string_view line, std::string& out) { return coder->run(line, out); };
  });
}

Status decode(const CodingOptions& options, CommandContext& context) {
  TRY_ASSIGN(const tokenizer::Tokenizer tokenizer, load_tokenizer(context.files, options.tokenizer_file));
  const LineCoder coder = [&](std::string_view line, std::string& out) -> Status {
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
  };
  return code_lines(options, context, [&] { return coder; });
}

void add_coding(CLI::App& group, CommandContext& context, const char* name, const char* help,
                Status (*work)(const CodingOptions&, CommandContext&)) {
  auto options = std::make_shared<CodingOptions>();
  CLI::App* command = group.add_subcommand(name, help);
  command->add_option("--tokenizer", options->tokenizer_file, "tokenizer.json")->required();
  command->add_flag("--no-special-tokens", options->no_special_tokens,
                    "Encode without the template's tokens; decode without special tokens");
  command->add_option("--threads", options->num_threads, "CPU threads (default: all)")
      ->check(CLI::Range(1, 4096));
  command->callback([options, work, &context] {
    context.set_action([options, work, &context] { return work(*options, context); });
  });
}

}  // namespace

void add_tokenizer_command(CLI::App& app, CommandContext& context) {
  CLI::App* group =
      app.add_subcommand("tokenizer", "Encode and decode text; train, import and inspect tokenizers");
  group->require_subcommand(1);
  add_coding(*group, context, "encode", "Lines of text to lines of ids (--json: {\"text\"} to {\"ids\"})",
             encode);
  add_coding(*group, context, "decode", "Lines of ids to lines of text (--json: {\"ids\"} to {\"text\"})",
             decode);
  add_tokenizer_train_commands(*group, context);
  add_tokenizer_inspect_command(*group, context);
}

}  // namespace cairn::apps
