// `cairn tokenizer inspect`: what a tokenizer is, and what it does to texts by language.
#include <algorithm>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/faults.h"
#include "base/text.h"
#include "commands.h"
#include "formats/json.h"
#include "text_options.h"
#include "tokenizer/inspection.h"
#include "tokenizer/tokenizer.h"

namespace cairn::apps {
namespace {

constexpr std::size_t kSpecialShown = 12;
constexpr std::size_t kWordColumns = 60;

struct InspectOptions {
  std::string tokenizer_file;
  std::vector<std::string> texts;
  std::string language;        // of all texts; empty: by the files' names
  std::string language_field;  // in JSON lines; empty: none
  std::size_t num_worst = 5;
  std::int64_t count_min = 2;
  TextOptions text;
};

// What the command finds out before it prints.
struct Findings {
  std::int64_t vocab_size = 0;
  std::string pattern;
  std::vector<std::string> special_tokens;  // in the order of their ids
  std::vector<std::int32_t> special_ids;
  std::vector<std::int32_t> unused_ids;
  std::int64_t num_ordinary = 0;
};

bool is_language_code(std::string_view part) {
  const std::string_view code = part.substr(0, part.find_first_of("-_"));
  return (code.size() == 2 || code.size() == 3) &&
         std::all_of(code.begin(), code.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

// "de" of text.de.txt, de.train.jsonl and de.txt: the part before the last dot that looks most like a code of a
// language; "unknown" when none does.
std::string language_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  std::vector<std::string_view> parts = split(name, '.');
  if (parts.size() > 1) {
    parts.pop_back();
  }
  const auto code = std::find_if(parts.rbegin(), parts.rend(), is_language_code);
  return code == parts.rend() ? "unknown" : std::string(*code);
}

// The text and the language of a line with both.
struct LabelledText {
  std::string language;
  std::string text;
};

Result<LabelledText> labelled_text(std::string_view line, const InspectOptions& options) {
  TRY_ASSIGN(const Json value, parse_json(line, JsonLimits{}));
  const Json* text = find(value, options.text.field);
  const Json* language = find(value, options.language_field);
  if (text == nullptr || !as_string(*text) || language == nullptr || !as_string(*language)) {
    return bad_data(
        fmt::format("has no string field '{}' or no '{}'", options.text.field, options.language_field));
  }
  return LabelledText{std::string(*as_string(*language)), std::string(*as_string(*text))};
}

Status read_texts(const InspectOptions& options, tokenizer::Inspection& inspection, CommandContext& context) {
  if (!options.language_field.empty()) {
    TextTotals totals;
    TextOptions lines = options.text;
    lines.documents = "line";
    return for_each_document(context, options.texts, lines, "inspect", totals,
                             [&](std::string_view line) -> Status {
                               TRY_ASSIGN(const LabelledText labelled, labelled_text(line, options));
                               return inspection.add_text(labelled.language, labelled.text);
                             });
  }
  std::map<std::string, std::vector<std::string>> files;
  for (const std::string& path : options.texts) {
    files[options.language.empty() ? language_of(path) : options.language].push_back(path);
  }
  for (const auto& [language, paths] : files) {
    TextTotals totals;
    const auto add = [&, name = language](std::string_view text) { return inspection.add_text(name, text); };
    TRY(for_each_document(context, paths, options.text, language.c_str(), totals, add));
  }
  return ok_status();
}

Status check_files_exist(const InspectOptions& options, CommandContext& context) {
  Faults faults;
  for (const std::string& path : options.texts) {
    if (!context.files.exists(path)) {
      faults.add("--text", path, "does not exist", "name a text file");
    }
  }
  return faults.to_status(StatusCode::kNoInput, "the texts cannot be read");
}

Json figures_json(const tokenizer::TextFigures& figures) {
  return {{"documents", figures.documents},
          {"bytes", figures.bytes},
          {"characters", figures.characters},
          {"words", figures.words},
          {"tokens", figures.tokens},
          {"tokens_per_word", figures.tokens_per_word()},
          {"bytes_per_token", figures.bytes_per_token()},
          {"characters_per_token", figures.characters_per_token()},
          {"continued_word_share", figures.continued_share()}};
}

void print_json(const InspectOptions& options, const Findings& findings,
                const tokenizer::Inspection& inspection, std::ostream& out) {
  Json special = Json::array();
  for (std::size_t i = 0; i < findings.special_ids.size(); ++i) {
    special.push_back({{"id", findings.special_ids[i]}, {"content", findings.special_tokens[i]}});
  }
  Json root = {
      {"vocab_size", findings.vocab_size}, {"pattern", findings.pattern}, {"special_tokens", special}};
  if (!options.texts.empty()) {
    Json languages = Json::object();
    for (const auto& [language, figures] : inspection.languages()) {
      Json entry = figures_json(figures);
      Json worst = Json::array();
      for (const tokenizer::CutWord& word :
           inspection.worst_words(language, options.num_worst, options.count_min)) {
        worst.push_back({{"word", word.word}, {"tokens", word.tokens}, {"count", word.count}});
      }
      entry["worst_words"] = worst;
      languages[language] = entry;
    }
    root["languages"] = languages;
    root["all"] = figures_json(inspection.all());
    root["ordinary_tokens"] = findings.num_ordinary;
    root["unused_tokens"] = findings.unused_ids;
  }
  out << json_to_text(root, -1) << '\n';
}

void print_row(const std::string& name, const tokenizer::TextFigures& figures, std::ostream& out) {
  out << fmt::format("{:<12}{:>12}{:>12}{:>14}{:>12.2f}{:>13.2f}{:>13.2f}{:>11.1f} %\n", name,
                     format_count(figures.documents), format_bytes(figures.bytes),
                     format_count(figures.words), figures.tokens_per_word(), figures.bytes_per_token(),
                     figures.characters_per_token(), 100 * figures.continued_share());
}

// A word in quotes, cut to a few columns.
std::string shown_word(std::string_view word) {
  std::string shown;
  std::size_t num_columns = 0;
  for (std::size_t at = 0; at < word.size() && num_columns < kWordColumns; ++num_columns) {
    const auto length = static_cast<std::size_t>(decode_utf8(word, at).length);
    const bool is_control = length == 1 && static_cast<unsigned char>(word[at]) < 0x20;
    shown += is_control ? "?" : word.substr(at, length);
    at += length;
  }
  return fmt::format("\"{}\"{}", shown, num_columns == kWordColumns ? "..." : "");
}

void print_texts(const InspectOptions& options, const Findings& findings,
                 const tokenizer::Inspection& inspection, std::ostream& out) {
  out << fmt::format("\n{:<12}{:>12}{:>12}{:>14}{:>12}{:>13}{:>13}{:>13}\n", "language", "documents", "text",
                     "words", "tokens/word", "bytes/token", "chars/token", "cut words");
  for (const auto& [language, figures] : inspection.languages()) {
    print_row(language, figures, out);
  }
  if (inspection.languages().size() > 1) {
    print_row("all", inspection.all(), out);
  }
  out << fmt::format("\nunused: {} of {} ordinary tokens ({:.1f} %)\n",
                     format_count(static_cast<std::int64_t>(findings.unused_ids.size())),
                     format_count(findings.num_ordinary),
                     100.0 * static_cast<double>(findings.unused_ids.size()) /
                         static_cast<double>(std::max<std::int64_t>(1, findings.num_ordinary)));
  out << fmt::format("\nworst words that come {} times or more:\n", options.count_min);
  for (const auto& [language, figures] : inspection.languages()) {
    for (const tokenizer::CutWord& word :
         inspection.worst_words(language, options.num_worst, options.count_min)) {
      out << fmt::format("{:<12}{:>4} tokens {:>9} times  {}\n", language, word.tokens,
                         format_count(word.count), shown_word(word.word));
    }
  }
}

void print_tokenizer(const InspectOptions& options, const Findings& findings, std::ostream& out) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(kSpecialShown, findings.special_tokens.size()));
  const std::vector<std::string> first(findings.special_tokens.begin(),
                                       findings.special_tokens.begin() + shown);
  out << fmt::format("{}: {} ids, pattern {}\n", options.tokenizer_file, format_count(findings.vocab_size),
                     findings.pattern);
  out << fmt::format("special tokens: {}{}{}{}\n",
                     format_count(static_cast<std::int64_t>(findings.special_tokens.size())),
                     first.empty() ? "" : "  ", fmt::join(first, " "),
                     first.size() < findings.special_tokens.size() ? " ..." : "");
}

Findings find_out(const tokenizer::Tokenizer& tokenizer, std::string pattern,
                  const tokenizer::Inspection& inspection) {
  Findings findings;
  findings.vocab_size = tokenizer.vocab_size();
  findings.pattern = std::move(pattern);
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(findings.vocab_size); ++id) {
    if (tokenizer.is_special(id)) {
      findings.special_ids.push_back(id);
      findings.special_tokens.emplace_back(tokenizer.id_to_token(id));
    } else if (!tokenizer.id_to_token(id).empty()) {
      ++findings.num_ordinary;
    }
  }
  findings.unused_ids = inspection.unused_tokens();
  return findings;
}

Status inspect(const InspectOptions& options, CommandContext& context) {
  if (!options.language.empty() && !options.language_field.empty()) {
    return usage_error("--language and --language-field: give one of them");
  }
  TRY(check_files_exist(options, context));
  TRY_ASSIGN(const std::string json, context.files.read_text(options.tokenizer_file));
  const Result<tokenizer::Tokenizer> tokenizer = tokenizer::Tokenizer::from_json(json);
  if (!tokenizer.ok()) {
    return tokenizer.status().with_context(options.tokenizer_file);
  }
  TRY_ASSIGN(std::string pattern, tokenizer::pattern_of(json));
  tokenizer::Inspection inspection(*tokenizer);
  TRY(read_texts(options, inspection, context));
  const Findings findings = find_out(*tokenizer, std::move(pattern), inspection);
  if (context.json) {
    print_json(options, findings, inspection, context.out);
    return ok_status();
  }
  print_tokenizer(options, findings, context.out);
  if (!options.texts.empty()) {
    print_texts(options, findings, inspection, context.out);
  }
  return ok_status();
}

}  // namespace

void add_tokenizer_inspect_command(CLI::App& group, CommandContext& context) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = group.add_subcommand("inspect", "Show a tokenizer, and how it cuts texts by language");
  command->add_option("--tokenizer", options->tokenizer_file, "tokenizer.json")->required();
  command->add_option("--text", options->texts,
                      "Text or JSON lines files; their language is in their names (text.de.txt)");
  command->add_option("--language", options->language,
                      "Language of all texts, whatever the files are called");
  command->add_option("--language-field", options->language_field, "The language's field in JSON lines");
  command->add_option("--worst", options->num_worst, "Worst words shown for each language")
      ->capture_default_str();
  command->add_option("--min-count", options->count_min, "Least count of a worst word")
      ->capture_default_str();
  add_text_options(*command, options->text);
  command->callback([options, &context] {
    context.set_action([options, &context] { return inspect(*options, context); });
  });
}

}  // namespace cairn::apps
