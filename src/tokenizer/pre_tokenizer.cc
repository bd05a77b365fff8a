#include "tokenizer/pre_tokenizer.h"

#include <array>
#include <utility>

#include "base/text.h"
#include "tokenizer/unicode.h"

namespace cairn::tokenizer {
namespace {

constexpr char32_t kNone = 0xFFFFFFFF;  // beyond the end of the text
constexpr char32_t kLongS = 0x17F;      // folds to s when case is ignored
constexpr std::uint8_t kContent = kLetter | kNumber | kSpace;

struct Character {
  char32_t code_point = kNone;
  std::uint8_t flags = 0;
  std::size_t end = 0;  // offset of what follows

  bool is(std::uint8_t mask) const { return (flags & mask) != 0; }
  bool is_newline() const { return code_point == '\r' || code_point == '\n'; }
  bool is_other() const { return code_point != kNone && !is(kContent); }  // [^\s\p{L}\p{N}]
  bool is_prefix() const {                                                // [^\r\n\p{L}\p{N}]
    return code_point != kNone && !is(kLetter | kNumber) && !is_newline();
  }
};

Character character_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) {
    return {kNone, 0, at};
  }
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    return {first, code_point_flags(first), at + 1};
  }
  const Utf8CodePoint c = decode_utf8(text, at);
  return {c.code_point, code_point_flags(c.code_point), at + static_cast<std::size_t>(c.length)};
}

// The end of the run of characters with any of `mask` that starts at `at`.
std::size_t run_end(std::string_view text, std::size_t at, std::uint8_t mask) {
  Character c = character_at(text, at);
  while (c.is(mask)) {
    at = c.end;
    c = character_at(text, at);
  }
  return at;
}

std::size_t other_run_end(std::string_view text, std::size_t at) {
  Character c = character_at(text, at);
  while (c.is_other()) {
    at = c.end;
    c = character_at(text, at);
  }
  return at;
}

char32_t fold(char32_t c, bool ignore_case) {
  if (!ignore_case) {
    return c;
  }
  if (c == kLongS) {
    return 's';
  }
  return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

// The end of 's 't 're 've 'm 'll 'd at `at`, or `at` when there is none.
std::size_t contraction_end(std::string_view text, std::size_t at, bool ignore_case) {
  if (at >= text.size() || text[at] != '\'') {
    return at;
  }
  const Character first = character_at(text, at + 1);
  const char32_t letter = fold(first.code_point, ignore_case);
  if (letter == 's' || letter == 't' || letter == 'm' || letter == 'd') {
    return first.end;
  }
  const Character second = character_at(text, first.end);
  const char32_t next = fold(second.code_point, ignore_case);
  const bool is_pair = ((letter == 'r' || letter == 'v') && next == 'e') || (letter == 'l' && next == 'l');
  return is_pair ? second.end : at;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ (the first branch only with `newlines_first`). REQUIRES a space at `begin`.
std::size_t space_end(std::string_view text, std::size_t begin, bool newlines_first) {
  std::size_t after_newline = begin;
  std::size_t last = begin;  // start of the last space
  std::size_t at = begin;
  for (Character c = character_at(text, at); c.is(kSpace); c = character_at(text, at)) {
    last = at;
    at = c.end;
    after_newline = c.is_newline() ? at : after_newline;
  }
  if (newlines_first && after_newline > begin) {
    return after_newline;
  }
  // Before something else the last space is left for it, unless it is the only one.
  return at == text.size() || last == begin ? at : last;
}

std::size_t gpt2_end(std::string_view text, std::size_t begin) {
  const std::size_t contraction = contraction_end(text, begin, false);
  if (contraction > begin) {
    return contraction;
  }
  const std::size_t start = begin + (text[begin] == ' ' ? 1 : 0);
  const Character c = character_at(text, start);
  if (c.is(kLetter)) {
    return run_end(text, start, kLetter);
  }
  if (c.is(kNumber)) {
    return run_end(text, start, kNumber);
  }
  return c.is_other() ? other_run_end(text, start) : space_end(text, begin, false);
}

// What follows the words in the families of Llama 3: digits, other characters, spaces.
std::size_t rest_end(const Pattern& pattern, std::string_view text, std::size_t begin) {
  Character c = character_at(text, begin);
  if (c.is(kNumber)) {
    std::size_t at = c.end;
    c = character_at(text, at);
    for (int count = 1; count < pattern.digits_max && c.is(kNumber); ++count) {
      at = c.end;
      c = character_at(text, at);
    }
    return at;
  }
  const std::size_t start = begin + (text[begin] == ' ' ? 1 : 0);
  std::size_t at = other_run_end(text, start);
  if (at == start) {
    return space_end(text, begin, true);
  }
  while (at < text.size() &&
         (text[at] == '\r' || text[at] == '\n' || (pattern.newlines_take_slash && text[at] == '/'))) {
    ++at;
  }
  return at;
}

std::size_t letter_end(const Pattern& pattern, std::string_view text, std::size_t begin) {
  if (pattern.has_contractions) {
    const std::size_t contraction = contraction_end(text, begin, true);
    if (contraction > begin) {
      return contraction;
    }
  }
  const Character first = character_at(text, begin);
  if (first.is(kLetter)) {
    return run_end(text, first.end, kLetter);
  }
  if (first.is_prefix() && character_at(text, first.end).is(kLetter)) {
    return run_end(text, first.end, kLetter);
  }
  return rest_end(pattern, text, begin);
}

// [upper-like]*[lower-like]+ at `begin`, with the backtracking of a regular expression; `begin` when none.
std::size_t small_word_end(std::string_view text, std::size_t begin) {
  std::size_t at = begin;
  std::size_t after_both = begin;  // end of the last character that is in both classes
  Character c = character_at(text, at);
  for (; c.is(kUpperLike); c = character_at(text, at)) {
    at = c.end;
    after_both = c.is(kLowerLike) ? at : after_both;
  }
  return c.is(kLowerLike) ? run_end(text, at, kLowerLike) : after_both;
}

// [upper-like]+[lower-like]* at `begin`; `begin` when none.
std::size_t capital_word_end(std::string_view text, std::size_t begin) {
  const std::size_t at = run_end(text, begin, kUpperLike);
  return at == begin ? begin : run_end(text, at, kLowerLike);
}

std::size_t cased_end(const Pattern& pattern, std::string_view text, std::size_t begin) {
  const Character first = character_at(text, begin);
  for (const auto word_end : {small_word_end, capital_word_end}) {
    for (const std::size_t start : {first.is_prefix() ? first.end : begin, begin}) {
      const std::size_t end = word_end(text, start);
      if (end > start) {
        return pattern.has_contractions ? contraction_end(text, end, true) : end;
      }
    }
  }
  return rest_end(pattern, text, begin);
}

constexpr std::array<std::pair<std::string_view, Pattern>, 6> kKnownPatterns = {{
    {kGpt2Regex, {PatternFamily::kGpt2, 0, true, false}},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
     {PatternFamily::kGpt2, 0, true, false}},
    {kLlama3Regex, {PatternFamily::kLetter, 3, true, false}},
    {kQwenRegex, {PatternFamily::kLetter, 1, true, false}},
    {kTekkenRegex, {PatternFamily::kCased, 1, false, true}},
    {kO200kRegex, {PatternFamily::kCased, 3, true, true}},
}};

}  // namespace

std::optional<Pattern> find_pattern(std::string_view regex) {
  for (const auto& [spelling, pattern] : kKnownPatterns) {
    if (spelling == regex) {
      return pattern;
    }
  }
  return std::nullopt;
}

std::size_t piece_end(const Pattern& pattern, std::string_view text, std::size_t begin) {
  switch (pattern.family) {
    case PatternFamily::kGpt2:
      return gpt2_end(text, begin);
    case PatternFamily::kLetter:
      return letter_end(pattern, text, begin);
    case PatternFamily::kCased:
      return cased_end(pattern, text, begin);
    case PatternFamily::kWhole:
      break;
  }
  return text.size();
}

}  // namespace cairn::tokenizer
