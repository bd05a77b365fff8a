#include "base/progress.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace cairn {
namespace {

constexpr int kBarColumnsMin = 8;
constexpr int kBarColumnsMax = 30;

int columns(std::string_view text) {
  int count = 0;
  std::size_t offset = 0;
  while (offset < text.size()) {
    offset += static_cast<std::size_t>(decode_utf8(text, offset).length);
    ++count;
  }
  return count;
}

std::string first_columns(std::string_view text, int count) {
  std::size_t offset = 0;
  while (offset < text.size() && count > 0) {
    offset += static_cast<std::size_t>(decode_utf8(text, offset).length);
    --count;
  }
  return std::string(text.substr(0, offset));
}

double fraction_done(const ProgressState& state) {
  return std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0, 1.0);
}

std::string bar(double fraction, int width, const ProgressStyle& style) {
  const int cells = width - 2;
  const int full = static_cast<int>(fraction * static_cast<double>(cells));
  std::string text = "[";
  text += style.use_color ? "\x1b[32m" : "";
  for (int i = 0; i < cells; ++i) {
    if (style.use_unicode) {
      text += i < full ? "\xE2\x96\x88" : "\xE2\x96\x91";  // full block, light shade
    } else {
      text += i < full ? '#' : '-';
    }
  }
  text += style.use_color ? "\x1b[0m" : "";
  return text + "]";
}

// What stands right of the bar, most important first.
std::vector<std::string> tail_parts(const ProgressState& state) {
  std::vector<std::string> parts;
  const std::string unit = state.unit.empty() ? std::string() : fmt::format(" {}", state.unit);
  parts.push_back(state.total > 0
                      ? fmt::format("{}/{}{}", format_count(state.done), format_count(state.total), unit)
                      : format_count(state.done) + unit);
  const std::int64_t fresh = state.done - state.done_at_start;
  if (fresh > 0 && state.elapsed_s > 0) {
    const double rate = static_cast<double>(fresh) / state.elapsed_s;
    const std::string_view unit_name = state.unit.empty() ? "it" : state.unit;
    parts.push_back(rate >= 1 ? fmt::format("{} {}/s", format_short_count(rate), unit_name)
                              : fmt::format("{:.2f} s/{}", 1 / rate, unit_name));
    if (state.total > state.done) {
      parts.push_back(format_duration(static_cast<double>(state.total - state.done) / rate) + " left");
    }
  }
  if (!state.note.empty()) {
    parts.emplace_back(state.note);
  }
  return parts;
}

}  // namespace

std::string progress_line(const ProgressState& state, const ProgressStyle& style) {
  std::string head(state.label);
  if (state.total > 0) {
    head += fmt::format("{}{:3}%", head.empty() ? "" : " ", static_cast<int>(fraction_done(state) * 100));
  }
  std::vector<std::string> parts = tail_parts(state);
  while (true) {
    std::string tail;
    for (const std::string& part : parts) {
      tail += tail.empty() ? "" : "  ";
      tail += part;
    }
    const int gap = head.empty() || tail.empty() ? 0 : 1;
    const int room = style.width - columns(head) - columns(tail) - gap;
    if (state.total > 0 && room - 1 >= kBarColumnsMin) {
      const std::string drawn = bar(fraction_done(state), std::min(room - 1, kBarColumnsMax), style);
      return fmt::format("{} {}{}{}", head, drawn, gap != 0 ? " " : "", tail);
    }
    if (room >= 0 && (state.total <= 0 || parts.size() <= 1)) {
      return fmt::format("{}{}{}", head, gap != 0 ? " " : "", tail);
    }
    if (parts.empty()) {
      return first_columns(head, std::max(style.width, 0));
    }
    parts.pop_back();
  }
}

}  // namespace cairn
