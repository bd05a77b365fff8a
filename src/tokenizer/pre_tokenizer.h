// Cuts text into the pieces ("words") that BPE works on. The patterns that tokenizer files state as regular
// expressions are recognised by their exact spelling and done by scanners written for them; each scanner gives
// the matches of its expression, left to right, and runs in linear time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cairn::tokenizer {

enum class PatternFamily : std::uint8_t {
  kWhole,   // no pattern: the text is one piece
  kGpt2,    // words with the space before them, runs of digits, runs of the rest
  kLetter,  // a word may start with any one other character (Llama 3, Qwen)
  kCased,   // the same, but a word also ends where capitals follow small letters (tekken, o200k)
};

struct Pattern {
  PatternFamily family = PatternFamily::kWhole;
  int digits_max = 1;                // digits per piece (kLetter, kCased)
  bool has_contractions = false;     // 's, 't, ... in any case: own pieces (kLetter), ends of words (kCased)
  bool newlines_take_slash = false;  // a run of other characters may go on with newlines and slashes
};

inline constexpr std::string_view kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwenRegex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kTekkenRegex =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kO200kRegex =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The scanner for a regular expression, or nothing when it is not one of the known ones.
std::optional<Pattern> find_pattern(std::string_view regex);

// The end of the piece that starts at `begin`. REQUIRES begin < text.size(), valid UTF-8.
std::size_t piece_end(const Pattern& pattern, std::string_view text, std::size_t begin);

}  // namespace cairn::tokenizer
