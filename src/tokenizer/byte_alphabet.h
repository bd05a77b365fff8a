// The letters that byte-level tokenizers write bytes with: printable Latin-1 stands for itself, the other bytes
// are U+0100 and up, in order (Radford et al. 2019).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::tokenizer {

inline constexpr char32_t kByteLetterEnd = 0x144;  // one past the last letter

// The letter of a byte; the byte of a letter, or -1.
char32_t byte_to_letter(std::uint8_t byte);
int letter_to_byte(char32_t letter);

std::string bytes_to_letters(std::string_view bytes);
// Nothing when any character is no letter of the alphabet. REQUIRES valid UTF-8.
std::optional<std::string> letters_to_bytes(std::string_view letters);

}  // namespace cairn::tokenizer
