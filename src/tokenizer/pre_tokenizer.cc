#include "tokenizer/pre_tokenizer.h"

#include <array>
#include <utility>

#include "tokenizer/text_scan.h"
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

inline Character character_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) {
    return {kNone, 0, at};
  }
  const ScannedCharacter c = scan_character(text, at);
  return {c.code_point, code_point_flags(c.code_point), c.end};
}

// Behind the ASCII letters from `at` on that have any of `mask`.
template <std::uint8_t mask>
std::size_t skip_ascii_letters(std::string_view text, std::size_t at) {
  static_assert(mask == kLetter || mask == kUpperLike || mask == kLowerLike);
  constexpr unsigned kFirst = mask == kUpperLike ? 'A' : 'a';
  constexpr unsigned kLast = mask == kUpperLike ? 'Z' : 'z';
  constexpr unsigned kCaseBit = mask == kLetter ? 0x20 : 0;
  return skip_bytes(
      text, at, [](std::uint64_t word) { return bytes_between(word | eight_times(kCaseBit), kFirst, kLast); },
      [](unsigned char c) { return (c | kCaseBit) >= kFirst && (c | kCaseBit) <= kLast; });
}

// The end of the run of letters or the like that starts at `at`.
template <std::uint8_t mask>
std::size_t letter_run_end(std::string_view text, std::size_t at) {
  while (true) {
    at = skip_ascii_letters<mask>(text, at);
    if (at == text.size() || is_ascii(text[at])) {
      return at;
    }
    do {
      const Character c = character_at(text, at);
      if (!c.is(mask)) {
        return at;
      }
      at = c.end;
    } while (at < text.size() && !is_ascii(text[at]));
  }
}

std::size_t number_run_end(std::string_view text, std::size_t at) {
  Character c = character_at(text, at);
  while (c.is(kNumber)) {
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
    return letter_run_end<kLetter>(text, start);
  }
  if (c.is(kNumber)) {
    return number_run_end(text, start);
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
    return letter_run_end<kLetter>(text, first.end);
  }
  if (first.is_prefix() && character_at(text, first.end).is(kLetter)) {
    return letter_run_end<kLetter>(text, first.end);
  }
  return rest_end(pattern, text, begin);
}

// Behind the characters from `at` on that are in both classes: most letters of scripts without cases.
std::size_t caseless_run_end(std::string_view text, std::size_t at) {
  constexpr std::uint8_t kBoth = kUpperLike | kLowerLike;
  while (at < text.size() && !is_ascii(text[at])) {
    const ScannedCharacter c = scan_character(text, at);
    if ((code_point_flags(c.code_point) & kBoth) != kBoth) {
      break;
    }
    at = c.end;
  }
  return at;
}

// [upper-like]*[lower-like]+ at `begin`, with the backtracking of a regular expression; `begin` when none.
std::size_t small_word_end(std::string_view text, std::size_t begin) {
  std::size_t after_both = begin;  // end of the last character that is in both classes
  for (std::size_t at = begin;;) {
    const std::size_t caseless = caseless_run_end(text, at);
    after_both = caseless > at ? caseless : after_both;
    const Character c = character_at(text, caseless);
    if (!c.is(kUpperLike)) {
      return c.is(kLowerLike) ? letter_run_end<kLowerLike>(text, caseless) : after_both;
    }
    at = c.end;
  }
}

// [upper-like]+[lower-like]* at `begin`; `begin` when none.
std::size_t capital_word_end(std::string_view text, std::size_t begin) {
  const std::size_t at = letter_run_end<kUpperLike>(text, begin);
  return at == begin ? begin : letter_run_end<kLowerLike>(text, at);
}

std::size_t cased_end(const Pattern& pattern, std::string_view text, std::size_t begin) {
  constexpr std::uint8_t kWordLike = kUpperLike | kLowerLike;
  const Character first = character_at(text, begin);
  const std::size_t start = first.is_prefix() ? first.end : begin;
  if (first.is(kWordLike) || (start > begin && character_at(text, start).is(kWordLike))) {
    for (const auto word_end : {small_word_end, capital_word_end}) {
      for (const std::size_t from : {start, begin}) {
        const std::size_t end = word_end(text, from);
        if (end > from) {
          return pattern.has_contractions ? contraction_end(text, end, true) : end;
        }
      }
    }
  }
  return rest_end(pattern, text, begin);
}

constexpr std::array<std::pair<std::string_view, Pattern>, 7> kKnownPatterns = {{
    {kGpt2Regex, {PatternFamily::kGpt2, 0, true, false}},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
     {PatternFamily::kGpt2, 0, true, false}},
    {kLlama3Regex, {PatternFamily::kLetter, 3, true, false}},
    // cl100k: its possessive repeats and its one newline change nothing.
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*)"
     R"(|\s*[\r\n]|\s+(?!\S)|\s+)",
     {PatternFamily::kLetter, 3, true, false}},
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
