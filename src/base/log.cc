#include "base/log.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <type_traits>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"

namespace cairn {
namespace {

constexpr std::array<std::string_view, 4> kLevelColors = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
constexpr std::string_view kColorOff = "\x1b[0m";

std::string_view non_finite_name(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  return value > 0 ? "inf" : "-inf";
}

// Text that a terminal cannot misread: no control characters; a new line continues indented.
void append_printable(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\n    ";
    } else {
      out += byte < 0x20 || byte == 0x7F ? '?' : c;
    }
  }
}

bool needs_quotes(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F || c == '"' || c == '=') {
      return true;
    }
  }
  return text.empty();
}

void append_human_value(std::string& out, const LogField& field) {
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          needs_quotes(value) ? append_json_string(out, value) : append_printable(out, value);
        } else if constexpr (std::is_same_v<T, double>) {
          if (!std::isfinite(value)) {
            out += non_finite_name(value);
          } else if (field.precision > 0) {
            fmt::format_to(std::back_inserter(out), "{:#.{}g}", value, field.precision);
          } else {
            fmt::format_to(std::back_inserter(out), "{}", value);
          }
        } else {
          fmt::format_to(std::back_inserter(out), "{}", value);
        }
      },
      field.value);
}

void append_json_value(std::string& out, const LogField& field) {
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          append_json_string(out, value);
        } else if constexpr (std::is_same_v<T, double>) {
          append_json_number(out, value);
        } else {
          fmt::format_to(std::back_inserter(out), "{}", value);
        }
      },
      field.value);
}

}  // namespace

std::string_view log_level_name(LogLevel level) {
  constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warning", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

void append_json_number(std::string& out, double value) {
  if (std::isfinite(value)) {
    fmt::format_to(std::back_inserter(out), "{}", value);
  } else {
    out += '"';
    out += non_finite_name(value);
    out += '"';
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t offset = 0;
  while (offset < text.size()) {
    const Utf8CodePoint next = decode_utf8(text, offset);
    offset += static_cast<std::size_t>(next.length);
    switch (next.code_point) {
      case U'"':
        out += "\\\"";
        break;
      case U'\\':
        out += "\\\\";
        break;
      case U'\n':
        out += "\\n";
        break;
      case U'\r':
        out += "\\r";
        break;
      case U'\t':
        out += "\\t";
        break;
      default:
        if (next.code_point < 0x20 || next.code_point == 0x7F) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(next.code_point));
        } else {
          append_utf8(out, next.code_point);
        }
    }
  }
  out += '"';
}

void append_human_line(std::string& out, const LogRecord& record, bool use_color) {
  const std::string time = format_time(record.wall_ns);
  out += std::string_view(time).substr(11, 12);  // hours to milliseconds
  out += ' ';
  const auto level = static_cast<std::size_t>(record.level);
  out += use_color ? kLevelColors[level] : "";
  fmt::format_to(std::back_inserter(out), "{:<7}", log_level_name(record.level));
  out += use_color ? kColorOff : "";
  out += "  ";
  append_printable(out, record.message);
  for (const LogField& field : record.fields) {
    out += "  ";
    append_printable(out, field.key);
    out += '=';
    append_human_value(out, field);
  }
  out += '\n';
}

void append_json_line(std::string& out, const LogRecord& record) {
  out += "{\"time\":\"";
  out += format_time(record.wall_ns);
  out += "\",\"level\":\"";
  out += log_level_name(record.level);
  out += "\",\"message\":";
  append_json_string(out, record.message);
  for (const LogField& field : record.fields) {
    out += ',';
    append_json_string(out, field.key);
    out += ':';
    append_json_value(out, field);
  }
  out += "}\n";
}

void DescriptorOutput::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor_, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void HumanSink::write(const LogRecord& record) {
  line_.clear();
  append_human_line(line_, record, use_color_);
  output_.write(line_);
}

void JsonLinesSink::write(const LogRecord& record) {
  line_.clear();
  append_json_line(line_, record);
  output_.write(line_);
}

void Logger::add_sink(LogSink& sink, LogLevel level_min) {
  const std::lock_guard lock(mutex_);
  targets_.push_back({&sink, level_min});
}

void Logger::log(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  const std::lock_guard lock(mutex_);
  const LogRecord record{level, wall_ns_(), message, fields};
  for (const Target& target : targets_) {
    if (level >= target.level_min) {
      target.sink->write(record);
    }
  }
}

}  // namespace cairn
