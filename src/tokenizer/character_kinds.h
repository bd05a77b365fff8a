// Characters that none of some sets tells apart are of one kind. A text as a string of kinds, one byte for each
// character, is what regular expressions run on: their classes are sets of bytes, whatever Unicode says of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/code_point_set.h"

namespace cairn::tokenizer {

class CharacterKinds {
 public:
  // A newline is a kind of its own with this number, so that an engine's anchors see it.
  static constexpr std::uint8_t kNewline = '\n';

  // None when the sets tell more than 256 kinds apart.
  static std::optional<CharacterKinds> create(std::span<const CodePointSet> sets);

  std::uint8_t kind(char32_t code_point) const {
    return blocks_[block_starts_[code_point / kBlockSize] + code_point % kBlockSize];
  }
  // The kinds of the characters in a set, ascending. REQUIRES one of the sets that create() was given.
  std::vector<std::uint8_t> kinds_in(const CodePointSet& set) const;
  // Writes the kinds of the characters of `text` over `kinds`. REQUIRES valid UTF-8.
  void translate(std::string_view text, std::string& kinds) const;

 private:
  static constexpr std::uint32_t kBlockSize = 256;
  CharacterKinds() = default;
  void store(std::span<const std::uint8_t> kind_of_code_point);

  struct Example {
    char32_t code_point;
    std::uint8_t kind;
  };
  std::vector<Example> examples_;            // one character of each kind
  std::vector<std::uint8_t> blocks_;         // the kinds of blocks of code points, each different block once
  std::vector<std::uint32_t> block_starts_;  // offset in blocks_, by code point / kBlockSize
};

}  // namespace cairn::tokenizer
