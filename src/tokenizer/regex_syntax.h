// Reads the regular expressions of tokenizer files: the part of Oniguruma's syntax (doc/RE of that library, as the
// `tokenizers` package uses it) whose meaning is the same in every backtracking engine. Everything else is refused by name.
//
// Accepted: characters; \t \n \v \f \r \a \e, \xHH and \x{H...} and \uHHHH; escaped punctuation; . \s \S \d \D \w \W;
// \p{..} and \P{..} of general categories but C; [..] and [^..]; ( ), (?: ), (?> ), (?m: ); (?i: ) around ASCII; ? * + {n} {n,}
// {,m} {n,m}, lazy but for {n}?, possessive for ? * +; | ^ $ \A \z \Z; look-ahead; look-behind of one character.
// Capturing groups capture nothing: nothing can refer to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tokenizer/code_point_set.h"

namespace cairn::tokenizer {

enum class RegexNodeType : std::uint8_t {
  kSet,               // one character of RegexTree::sets[set]
  kSequence,          // the children one after the other
  kAlternatives,      // the first child that leads to a match
  kRepeat,            // the child, repeat_min to repeat_max times
  kAtomic,            // the child, by its first match only
  kLookAhead,         // the child matches here
  kNoLookAhead,       // ... does not
  kLookBehind,        // the child, one character long, matches what ends here
  kNoLookBehind,      // ... does not
  kLineStart,         // ^: at the start of the text or behind a newline that does not end it
  kLineEnd,           // $: at the end of the text or before a newline
  kTextStart,         // \A
  kTextEnd,           // \z
  kTextEndOrNewline,  // \Z: at the end of the text or before a newline that ends it
};

enum class RepeatMode : std::uint8_t { kGreedy, kLazy, kPossessive };

struct RegexNode {
  static constexpr int kNoMaximum = -1;

  RegexNodeType type = RegexNodeType::kSequence;
  std::vector<RegexNode> children;
  std::size_t set = 0;
  int repeat_min = 0;
  int repeat_max = 0;
  RepeatMode repeat_mode = RepeatMode::kGreedy;
  bool may_be_empty = true;  // it can match no character
  // Letters (bit 0: a) that are matched in any case and may come first and last.
  std::uint32_t folded_first = 0;
  std::uint32_t folded_last = 0;
};

struct RegexTree {
  RegexNode root;
  std::vector<CodePointSet> sets;  // each once
};

// The most bytes of an expression, groups inside groups, and repeats that a number states.
inline constexpr std::size_t kRegexBytesMax = 16384;
inline constexpr int kRegexDepthMax = 50;
inline constexpr int kRegexRepeatMax = 1000;

// kBadData with the byte and the reason when `pattern` is not accepted. REQUIRES valid UTF-8.
Result<RegexTree> parse_regex(std::string_view pattern);

// The expression that matches `text` and nothing else. REQUIRES valid UTF-8, not empty.
RegexTree literal_regex(std::string_view text);
// The expression that matches any one character of `set`.
RegexTree set_regex(CodePointSet set);

}  // namespace cairn::tokenizer
