// Regular expressions over strings of character kinds (character_kinds.h). One character of a set and fixed strings are
// searched directly, everything else by PCRE2 (8 bit, just-in-time compiled where it can be), on bytes that are kinds: PCRE2
// never sees Unicode. A match is the first from the left, as backtracking finds it.
//
// An attempt at one place that takes more than 100,000 + 64 * size steps ends with an error, never with another match. Time
// can still grow with the square of the text for expressions that look far ahead at each place, as in the reference.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/status.h"
#include "tokenizer/character_kinds.h"
#include "tokenizer/regex_syntax.h"

namespace cairn::tokenizer {

// True when the program was built with PCRE2.
bool has_regex_engine();

// What searching writes to. One per thread; may serve many expressions.
class RegexBuffers {
 public:
  RegexBuffers();
  ~RegexBuffers();
  RegexBuffers(RegexBuffers&&) noexcept;
  RegexBuffers& operator=(RegexBuffers&&) noexcept;

 private:
  friend class Regex;
  struct State;
  std::unique_ptr<State> state_;
};

struct RegexMatch {
  static constexpr std::size_t kNone = std::string_view::npos;
  std::size_t begin = kNone;
  std::size_t end = kNone;
};

// Immutable and thread-safe.
class Regex {
 public:
  // kBadData when the expression needs an engine and there is none, or is larger than the engine compiles.
  // REQUIRES kinds made from sets that include the tree's.
  static Result<Regex> compile(const RegexTree& tree, const CharacterKinds& kinds);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // Writes the first match that begins at `from` or later; kNone when there is none. The expression sees all of `kinds`.
  // Matches are never empty. kBadData when it takes too many steps.
  Status find(std::string_view kinds, std::size_t from, RegexBuffers& buffers, RegexMatch& match) const;

 private:
  struct Program;
  explicit Regex(std::unique_ptr<const Program> program);
  std::unique_ptr<const Program> program_;
};

}  // namespace cairn::tokenizer
