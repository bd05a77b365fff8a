// Numbers and text for people, and UTF-8. Pure functions, independent of any locale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

std::string format_bytes(std::int64_t num_bytes);  // "512 B", "1.50 GiB" (powers of 1024)
std::string format_count(std::int64_t count);      // "1,234,567"
std::string format_short_count(double count);      // "950", "8.05 B", "15.0 T" (powers of 1000: k M B T)
std::string format_duration(double seconds);    // "850 ms", "12.3 s", "4 min 05 s", "2 h 03 min", "3 d 4 h"
std::string format_time(std::int64_t wall_ns);  // "2026-01-02T03:04:05.678901Z"

// One code point of UTF-8 text. When the bytes are no valid code point (overlong, surrogate, beyond U+10FFFF,
// cut short), is_valid is false, code_point is U+FFFD and length covers the maximal wrong prefix (1 to 3), as
// Unicode's "substitution of maximal subparts" has it.
struct Utf8CodePoint {
  char32_t code_point = 0xFFFD;
  int length = 1;  // bytes taken, 1 to 4
  bool is_valid = false;
};
// REQUIRES offset < text.size().
Utf8CodePoint decode_utf8(std::string_view text, std::size_t offset);
// Appends one code point. REQUIRES a scalar value (no surrogate, at most U+10FFFF).
void append_utf8(std::string& out, char32_t code_point);
bool is_valid_utf8(std::string_view text);
// Offset of the first byte that is not part of valid UTF-8, or nothing.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);
std::string replace_invalid_utf8(std::string_view text);  // each maximal wrong prefix becomes U+FFFD

// 1-based line and column (in bytes) of an offset in `text`, for messages.
struct TextPosition {
  int line = 1;
  int column = 1;
};
TextPosition text_position(std::string_view text, std::size_t offset);

std::vector<std::string_view> split(std::string_view text, char separator);  // "a,,b" -> "a", "", "b"
std::string_view trim(std::string_view text);  // ASCII white space off both ends
// The whole of `text` as a number; nothing when any byte is left over or it does not fit.
std::optional<std::int64_t> parse_int64(std::string_view text);
std::optional<double> parse_double(std::string_view text);

}  // namespace cairn
