#include "tokenizer/inspection.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/json.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/unicode.h"

namespace cairn::tokenizer {
namespace {

constexpr JsonLimits kLimits{std::int64_t{256} << 20, 32};

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Calls visit(word) for each run without white space, with the space before it; returns the number of characters.
template <class Visit>
Result<std::int64_t> for_each_word(std::string_view text, Visit&& visit) {
  std::int64_t num_characters = 0;
  std::size_t begin = 0;
  bool is_in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8CodePoint c = decode_utf8(text, at);
    const bool is_space = (code_point_flags(c.code_point) & kSpace) != 0;
    if (is_space && is_in_word) {
      TRY(visit(text.substr(begin, at - begin)));
    }
    if (!is_space && !is_in_word) {
      begin = at > 0 && text[at - 1] == ' ' ? at - 1 : at;
    }
    is_in_word = !is_space;
    at += static_cast<std::size_t>(c.length);
    ++num_characters;
  }
  if (is_in_word) {
    TRY(visit(text.substr(begin)));
  }
  return num_characters;
}

// A pattern by the name of its style, if it has one.
std::string named(std::string_view regex) {
  for (const char* style : {"gpt2", "llama3", "qwen", "tekken", "o200k"}) {
    if (regex == *regex_of_style(style)) {
      return style;
    }
  }
  return std::string(regex);
}

// Adds what the steps cut by, in order.
void add_patterns(const Json& step, std::vector<std::string>& patterns) {
  const Json* steps = find(step, "pretokenizers");
  if (steps != nullptr && steps->is_array()) {
    for (const Json& part : *steps) {
      add_patterns(part, patterns);
    }
  }
  const Json* type_value = find(step, "type");
  const std::string_view type =
      type_value == nullptr ? std::string_view() : as_string(*type_value).value_or("");
  if (type == "ByteLevel") {
    const Json* use_regex = find(step, "use_regex");
    if (use_regex == nullptr || as_bool(*use_regex).value_or(true)) {
      patterns.push_back(named(kGpt2Regex));
    }
  } else if (type == "Digits") {
    patterns.emplace_back(type);
  }
  const Json* pattern = find(step, "pattern");
  for (const std::string_view kind : {"Regex", "String"}) {
    const Json* text = pattern == nullptr ? nullptr : find(*pattern, kind);
    if (text != nullptr) {
      patterns.push_back(named(as_string(*text).value_or("")));
    }
  }
}

}  // namespace

double TextFigures::tokens_per_word() const {
  return ratio(word_tokens, words);
}

double TextFigures::bytes_per_token() const {
  return ratio(bytes, tokens);
}

double TextFigures::characters_per_token() const {
  return ratio(characters, tokens);
}

double TextFigures::continued_share() const {
  return ratio(continued_words, words);
}

Inspection::Inspection(Tokenizer tokenizer)
    : tokenizer_(tokenizer),
      encoder_(std::move(tokenizer)),
      is_used_(static_cast<std::size_t>(tokenizer_.vocab_size())) {}

Status Inspection::add_word(std::string_view word, Words& words, TextFigures& figures) {
  key_.assign(word);
  const auto found = words.find(key_);
  std::int64_t num_tokens = 0;
  if (found == words.end()) {
    ids_.clear();
    TRY(encoder_.encode(word, false, ids_));
    num_tokens = static_cast<std::int64_t>(ids_.size());
    if (words.size() < kWordsMax) {
      words.emplace(key_, Seen{num_tokens, 1});
    }
  } else {
    num_tokens = found->second.tokens;
    ++found->second.count;
  }
  ++figures.words;
  figures.word_tokens += num_tokens;
  figures.continued_words += num_tokens > 1 ? 1 : 0;
  return ok_status();
}

Status Inspection::add_text(const std::string& language, std::string_view text) {
  ids_.clear();
  TRY(encoder_.encode(text, false, ids_));
  for (const std::int32_t id : ids_) {
    is_used_[static_cast<std::size_t>(id)] = true;
  }
  TextFigures& figures = figures_[language];
  ++figures.documents;
  figures.bytes += static_cast<std::int64_t>(text.size());
  figures.tokens += static_cast<std::int64_t>(ids_.size());
  Words& words = words_[language];
  TRY_ASSIGN(const std::int64_t num_characters,
             for_each_word(text, [&](std::string_view word) { return add_word(word, words, figures); }));
  figures.characters += num_characters;
  return ok_status();
}

TextFigures Inspection::all() const {
  TextFigures sum;
  for (const auto& [language, figures] : figures_) {
    sum.documents += figures.documents;
    sum.bytes += figures.bytes;
    sum.characters += figures.characters;
    sum.tokens += figures.tokens;
    sum.words += figures.words;
    sum.word_tokens += figures.word_tokens;
    sum.continued_words += figures.continued_words;
  }
  return sum;
}

std::vector<CutWord> Inspection::worst_words(const std::string& language, std::size_t num_words,
                                             std::int64_t count_min) const {
  std::vector<CutWord> worst;
  const auto found = words_.find(language);
  if (found == words_.end()) {
    return worst;
  }
  for (const auto& [word, seen] : found->second) {
    if (seen.count >= count_min) {
      worst.push_back({word, seen.tokens, seen.count});
    }
  }
  const auto kept = worst.begin() + static_cast<std::ptrdiff_t>(std::min(num_words, worst.size()));
  std::partial_sort(worst.begin(), kept, worst.end(), [](const CutWord& a, const CutWord& b) {
    return std::tie(b.tokens, b.count, a.word) < std::tie(a.tokens, a.count, b.word);
  });
  worst.erase(kept, worst.end());
  return worst;
}

std::vector<std::int32_t> Inspection::unused_tokens() const {
  std::vector<std::int32_t> unused;
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(is_used_.size()); ++id) {
    const bool is_ordinary = !tokenizer_.is_special(id) && !tokenizer_.id_to_token(id).empty();
    if (is_ordinary && !is_used_[static_cast<std::size_t>(id)]) {
      unused.push_back(id);
    }
  }
  return unused;
}

Result<std::string> pattern_of(std::string_view tokenizer_json) {
  TRY_ASSIGN(const Json root, parse_json(tokenizer_json, kLimits));
  const Json* step = find(root, "pre_tokenizer");
  std::vector<std::string> patterns;
  if (step != nullptr) {
    add_patterns(*step, patterns);
  }
  return patterns.empty() ? "none" : fmt::format("{}", fmt::join(patterns, ", then "));
}

}  // namespace cairn::tokenizer
