#include "base/text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"

namespace cairn {
namespace {

// Three significant digits with a unit: 9.99, 99.9, 999.
std::string three_digits(double value) {
  if (value < 9.995) {
    return fmt::format("{:.2f}", value);
  }
  return value < 99.95 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

bool is_continuation(std::string_view text, std::size_t index, unsigned low, unsigned high) {
  if (index >= text.size()) {
    return false;
  }
  const auto byte = static_cast<unsigned char>(text[index]);
  return byte >= low && byte <= high;
}

}  // namespace

std::string format_bytes(std::int64_t num_bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (num_bytes > -1024 && num_bytes < 1024) {
    return fmt::format("{} B", num_bytes);
  }
  double value = static_cast<double>(num_bytes) / 1024.0;
  std::size_t unit = 0;
  while (std::abs(value) >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  return fmt::format("{}{} {}", value < 0 ? "-" : "", three_digits(std::abs(value)), kUnits[unit]);
}

std::string format_count(std::int64_t count) {
  const std::string digits = fmt::format("{}", count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::size_t left = digits.size() - i;
    if (i > 0 && left % 3 == 0 && digits[i - 1] != '-') {
      text += ',';
    }
    text += digits[i];
  }
  return text;
}

std::string format_short_count(double count) {
  constexpr std::array<std::string_view, 4> kUnits = {"k", "M", "B", "T"};
  if (!std::isfinite(count)) {
    return "-";
  }
  double value = std::abs(count);
  const std::string_view sign = count < 0 ? "-" : "";
  if (value < 999.5) {
    const bool is_whole = value == std::floor(value);
    return fmt::format("{}{}", sign, is_whole ? fmt::format("{:.0f}", value) : three_digits(value));
  }
  value /= 1000.0;
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  return fmt::format("{}{} {}", sign, three_digits(value), kUnits[unit]);
}

std::string format_duration(double seconds) {
  constexpr double kLongest = 1e11;  // three thousand years: beyond it nothing is worth saying
  if (!(seconds >= 0) || seconds > kLongest) {
    return "-";
  }
  if (seconds < 0.9995) {
    return fmt::format("{:.0f} ms", seconds * 1e3);
  }
  if (seconds < 59.95) {
    return fmt::format("{:.1f} s", seconds);
  }
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) {
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  }
  if (whole < 86400) {
    return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  }
  return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

std::string format_time(std::int64_t wall_ns) {
  constexpr std::int64_t kNsPerDay = 86'400'000'000'000;
  std::int64_t days = wall_ns / kNsPerDay;
  std::int64_t rest = wall_ns % kNsPerDay;
  if (rest < 0) {
    rest += kNsPerDay;
    --days;
  }
  // Days since 0000-03-01 split into 400-year eras, as the Gregorian calendar repeats.
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;  // 0 = March
  const std::int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const std::int64_t second = rest / 1'000'000'000;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", year, month, day, second / 3600,
                     second % 3600 / 60, second % 60, rest % 1'000'000'000 / 1000);
}

namespace {

bool is_any_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
}

// True when the first six of eight bytes are two characters of three bytes whose second may be any continuation.
bool are_two_plain_characters(std::uint64_t word) {
  constexpr std::uint64_t kMask = 0xC0C0F0C0C0F0;
  constexpr std::uint64_t kPattern = 0x8080E08080E0;
  const auto is_plain = [](std::uint64_t lead) { return (lead & 0x0F) != 0x00 && (lead & 0x0F) != 0x0D; };
  return (word & kMask) == kPattern && is_plain(word) && is_plain(word >> 24);
}

// Behind the valid text from `offset` on that needs no careful look: ASCII eight bytes at a time, two-byte characters, and the
// three-byte ones whose second byte may be any continuation. Stops at the last bytes of the text, too.
std::size_t skip_plain_utf8(std::string_view text, std::size_t offset) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  while (text.size() - offset >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + offset, 8);
    if ((word & kHighBits) == 0) {
      offset += 8;
      continue;
    }
    if constexpr (std::endian::native == std::endian::little) {
      if (are_two_plain_characters(word)) {
        offset += 6;
        continue;
      }
      offset += static_cast<std::size_t>(std::countr_zero(word & kHighBits)) / 8;
      if (text.size() - offset < 3) {
        break;
      }
    }
    const char* at = text.data() + offset;
    const auto lead = static_cast<unsigned char>(*at);
    if (lead < 0x80) {
      ++offset;
    } else if (lead >= 0xC2 && lead <= 0xDF && is_any_continuation(at[1])) {
      offset += 2;
    } else if (lead > 0xE0 && lead <= 0xEF && lead != 0xED && is_any_continuation(at[1]) &&
               is_any_continuation(at[2])) {
      offset += 3;
    } else {
      break;
    }
  }
  return offset;
}

}  // namespace

Utf8CodePoint decode_utf8(std::string_view text, std::size_t offset) {
  CHECK(offset < text.size(), "decode_utf8 beyond the text");
  const auto lead = static_cast<unsigned char>(text[offset]);
  if (lead < 0x80) {
    return {lead, 1, true};
  }
  // The range of the second byte excludes overlong forms, surrogates and what is beyond U+10FFFF.
  int length = 0;
  unsigned low = 0x80;
  unsigned high = 0xBF;
  char32_t code_point = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    code_point = lead & 0x1FU;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    code_point = lead & 0x0FU;
    low = lead == 0xE0 ? 0xA0 : 0x80;
    high = lead == 0xED ? 0x9F : 0xBF;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    code_point = lead & 0x07U;
    low = lead == 0xF0 ? 0x90 : 0x80;
    high = lead == 0xF4 ? 0x8F : 0xBF;
  } else {
    return {};
  }
  for (int i = 1; i < length; ++i) {
    const std::size_t index = offset + static_cast<std::size_t>(i);
    if (!is_continuation(text, index, i == 1 ? low : 0x80, i == 1 ? high : 0xBF)) {
      return {0xFFFD, i, false};
    }
    code_point = (code_point << 6) | (static_cast<unsigned char>(text[index]) & 0x3FU);
  }
  return {code_point, length, true};
}

void append_utf8(std::string& out, char32_t code_point) {
  CHECK(code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF), "not a Unicode scalar value");
  const auto put = [&out](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    offset = skip_plain_utf8(text, offset);
    if (offset == text.size()) {
      break;
    }
    const Utf8CodePoint next = decode_utf8(text, offset);
    if (!next.is_valid) {
      return offset;
    }
    offset += static_cast<std::size_t>(next.length);
  }
  return std::nullopt;
}

bool is_valid_utf8(std::string_view text) {
  return !find_invalid_utf8(text).has_value();
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t offset = 0;
  while (offset < text.size()) {
    const Utf8CodePoint next = decode_utf8(text, offset);
    append_utf8(out, next.code_point);
    offset += static_cast<std::size_t>(next.length);
  }
  return out;
}

TextPosition text_position(std::string_view text, std::size_t offset) {
  TextPosition position;
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto newlines = std::count(before.begin(), before.end(), '\n');
  const std::size_t last = before.rfind('\n');
  position.line = static_cast<int>(newlines) + 1;
  position.column = static_cast<int>(before.size() - (last == std::string_view::npos ? 0 : last + 1)) + 1;
  return position;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(separator, begin);
    if (end == std::string_view::npos) {
      parts.push_back(text.substr(begin));
      return parts;
    }
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::optional<std::int64_t> parse_int64(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace cairn
