// The longest token at a place of a text: a trie of byte strings in one array (a double array, Aoe 1989, with
// exclusive or instead of addition, so that the children of a node share 256 neighbouring units).
// Immutable after build; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "device/large_array.h"

namespace cairn::tokenizer {

class TokenTrie {
 public:
  using Entry = std::pair<std::string_view, std::int32_t>;  // bytes and id (0 to 2^22 - 1)

  // REQUIRES bytes that are not empty and all different. Sorts `entries`; keeps nothing of them.
  void build(std::span<Entry> entries);

  struct Found {
    std::int32_t id = -1;  // -1: none
    std::uint32_t num_bytes = 0;
  };
  // The longest entry that `text` starts with.
  Found longest(std::string_view text) const {
    std::uint32_t base = root_;
    Found best;
    std::uint32_t at = 0;
    if (starts_with_three_bytes(text)) {
      const Start& start = starts_[start_index(text)];
      best = start.found();
      const std::string_view rest = text.substr(3);
      if (starts_with_three_bytes(rest) && (start.seconds & second_bit(rest)) == 0) {
        return best;
      }
      base = start.base;
      at = 3;
    }
    for (; base != 0 && at < text.size(); ++at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      const Unit unit = units_[base ^ byte];
      if ((unit.token_and_label & kLabelMask) != (kUsed | byte)) {
        break;
      }
      const auto token = static_cast<std::int32_t>(unit.token_and_label >> kTokenShift) - 1;
      best = token >= 0 ? Found{token, at + 1} : best;
      base = unit.base;
    }
    return best;
  }

 private:
  // A child: its label (in 8 bits), that it is one (1 bit), and above them one more than the id of the entry that
  // ends here, or 0. No two nodes with children have the same base, so a label fits its own parent only.
  struct Unit {
    std::uint32_t base = 0;  // of its children; 0 for a leaf
    std::uint32_t token_and_label = 0;
  };
  static constexpr std::uint32_t kUsed = 0x100;
  static constexpr std::uint32_t kLabelMask = 0x1FF;
  static constexpr int kTokenShift = 9;
  static constexpr std::uint32_t kBlockSize = 256;

  // Where the search stands behind a first character of three bytes, as most of Chinese and Japanese are.
  struct Start {
    std::uint32_t token_and_size = 0;  // one more than the id, or 0; below it the number of bytes in 2 bits
    std::uint32_t base = 0;            // 0: nothing longer
    // A bit for each second character of three bytes that something longer goes on with; others may share the bit.
    std::uint64_t seconds = 0;

    Found found() const { return {static_cast<std::int32_t>(token_and_size >> 2) - 1, token_and_size & 3}; }
  };
  static constexpr std::size_t kNumStarts = std::size_t{1} << 16;
  static bool starts_with_three_bytes(std::string_view text) {
    const auto top = [&](std::size_t i, unsigned mask) { return static_cast<unsigned char>(text[i]) & mask; };
    return text.size() >= 3 && top(0, 0xF0) == 0xE0 && top(1, 0xC0) == 0x80 && top(2, 0xC0) == 0x80;
  }
  static std::size_t start_index(std::string_view text) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::size_t>(static_cast<unsigned char>(text[i]));
    };
    return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  }

  static std::uint64_t second_bit(std::string_view character) {
    return std::uint64_t{1} << (static_cast<unsigned char>(character[2]) & 0x3F);
  }

  struct Builder;
  void prepare_starts(std::span<const Entry> entries);

  std::uint32_t root_ = kBlockSize;  // the base of the root's children
  LargeVector<Unit> units_ = LargeVector<Unit>(std::size_t{2} * kBlockSize);
  LargeVector<Start> starts_ = LargeVector<Start>(kNumStarts);
};

}  // namespace cairn::tokenizer
