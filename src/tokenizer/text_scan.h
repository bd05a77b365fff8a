// Steps through text that is known to be UTF-8, eight bytes of ASCII at a time where it can.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cairn::tokenizer {

inline bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

struct ScannedCharacter {
  char32_t code_point;
  std::size_t end;  // offset of what follows
};

// REQUIRES at < text.size(), the start of a character of valid UTF-8: what does not matter then is not looked at.
inline ScannedCharacter scan_character(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, at + 1};
  }
  if (lead < 0xE0) {
    return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), at + 2};
  }
  if (lead < 0xF0) {
    return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), at + 3};
  }
  return {(lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), at + 4};
}

// Sets of bytes as the top bits of eight bytes.
inline constexpr std::uint64_t kTopBits = 0x8080808080808080;

constexpr std::uint64_t eight_times(unsigned byte) {
  return std::uint64_t{0x0101010101010101} * byte;
}

// The ASCII bytes of `word` from `first` to `last`. REQUIRES 1 <= first <= last < 0x80.
constexpr std::uint64_t bytes_between(std::uint64_t word, unsigned first, unsigned last) {
  const std::uint64_t low = word & ~kTopBits;
  return (low + eight_times(0x80 - first)) & ~(low + eight_times(0x7F - last)) & ~word & kTopBits;
}

// The first offset from `at` on whose byte is not in the set; ASCII only. `set_of(word)` gives the members among eight
// bytes, `has(byte)` says the same of one.
template <typename SetOf, typename Has>
std::size_t skip_bytes(std::string_view text, std::size_t at, const SetOf& set_of, const Has& has) {
  if constexpr (std::endian::native == std::endian::little) {
    for (; text.size() - at >= 8; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, 8);
      const std::uint64_t others = ~set_of(word) & kTopBits;
      if (others != 0) {
        return at + static_cast<std::size_t>(std::countr_zero(others)) / 8;
      }
    }
  }
  while (at < text.size() && has(static_cast<unsigned char>(text[at]))) {
    ++at;
  }
  return at;
}

inline std::size_t skip_ascii(std::string_view text, std::size_t at) {
  return skip_bytes(
      text, at, [](std::uint64_t word) { return ~word & kTopBits; },
      [](unsigned char c) { return c < 0x80; });
}

}  // namespace cairn::tokenizer
