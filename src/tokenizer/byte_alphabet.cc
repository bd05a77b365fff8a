#include "tokenizer/byte_alphabet.h"

#include <array>

#include "base/text.h"

namespace cairn::tokenizer {
namespace {

constexpr bool is_own_letter(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<char32_t, 256> letters{};
  std::array<std::int16_t, kByteLetterEnd> bytes{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.bytes.fill(-1);
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t letter = is_own_letter(byte) ? static_cast<char32_t>(byte) : next++;
    alphabet.letters[static_cast<std::size_t>(byte)] = letter;
    alphabet.bytes[letter] = static_cast<std::int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

char32_t byte_to_letter(std::uint8_t byte) {
  return kAlphabet.letters[byte];
}

int letter_to_byte(char32_t letter) {
  return letter < kByteLetterEnd ? kAlphabet.bytes[letter] : -1;
}

std::string bytes_to_letters(std::string_view bytes) {
  std::string letters;
  letters.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    append_utf8(letters, byte_to_letter(static_cast<std::uint8_t>(byte)));
  }
  return letters;
}

std::optional<std::string> letters_to_bytes(std::string_view letters) {
  std::string bytes;
  bytes.reserve(letters.size());
  // No letter has more than two bytes.
  for (std::size_t at = 0; at < letters.size(); ++at) {
    const auto lead = static_cast<unsigned char>(letters[at]);
    char32_t letter = lead;
    if (lead >= 0x80) {
      const auto next = static_cast<unsigned char>(++at < letters.size() ? letters[at] : '\0');
      const bool is_valid = lead >= 0xC2 && lead < 0xE0 && (next & 0xC0) == 0x80;
      letter = is_valid ? (lead & 0x1FU) << 6 | (next & 0x3FU) : kByteLetterEnd;
    }
    const int byte = letter_to_byte(letter);
    if (byte < 0) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

}  // namespace cairn::tokenizer
