#include "ops/plan_texts.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"

namespace cairn::ops {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::string to_hex(std::string_view bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    const auto value = static_cast<std::uint8_t>(byte);
    hex += kDigits[value >> 4U];
    hex += kDigits[value & 15U];
  }
  return hex;
}

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) {
    return std::nullopt;
  }
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const std::size_t high = kDigits.find(hex[i]);
    const std::size_t low = kDigits.find(hex[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) {
      return std::nullopt;
    }
    bytes += static_cast<char>(16 * high + low);
  }
  return bytes;
}

// Takes the first line off.
std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

std::string format_plan_texts(std::string_view header, const PlanTexts& plans) {
  std::string lines;
  for (const auto& [name, bytes] : plans) {
    lines += fmt::format("{}: {}\n", name, to_hex(bytes));
  }
  return fmt::format("{}\n{}\n{}", header, xxh3_128(lines).to_hex(), lines);
}

Result<PlanTexts> parse_plan_texts(std::string_view header, std::string_view text) {
  if (const std::string_view found = next_line(text); found != header) {
    return bad_config(fmt::format("the plans are for \"{}\", here is \"{}\"", found, header));
  }
  const std::string_view checksum = next_line(text);
  if (checksum != xxh3_128(text).to_hex()) {
    return bad_config("the checksum of the plans is wrong");
  }
  PlanTexts plans;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const std::size_t colon = line.find(": ");
    const auto bytes = colon == std::string_view::npos ? std::nullopt : from_hex(line.substr(colon + 2));
    if (!bytes) {
      return bad_config("not a line of a plan");
    }
    plans[std::string(line.substr(0, colon))] = *bytes;
  }
  return plans;
}

}  // namespace cairn::ops
