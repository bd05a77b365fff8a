#include "formats/toml.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 64
#include <toml++/toml.h>

namespace cairn {
namespace {

// toml++ limits nested brackets but not dotted keys, and walks its trees recursively: a.a.a.a... would overflow the
// stack. Finds the first key with too many dots, skipping strings and comments. Where the text is malformed the
// count may be wrong, but there toml++ has stopped already.
class DotScan {
 public:
  DotScan(std::string_view text, int dots_max) : text_(text), dots_max_(dots_max) {}

  std::optional<std::size_t> find_deep_key() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == '"' || c == '\'') {
        skip_string(c);
      } else {
        if (c == '.' && ++num_dots_ > dots_max_) {
          return at_;
        }
        if (c == '=' || c == ',' || c == '{' || c == '}' || c == '[' || c == ']' || c == '\n') {
          num_dots_ = 0;
        }
        ++at_;
      }
    }
    return std::nullopt;
  }

 private:
  void skip_string(char quote) {
    const std::string triple(3, quote);
    if (text_.substr(at_, 3) == triple) {
      at_ += 3;
      while (at_ < text_.size() && text_.substr(at_, 3) != triple) {
        at_ += quote == '"' && text_[at_] == '\\' ? 2U : 1U;
      }
      at_ += 3;
      while (at_ < text_.size() && text_[at_] == quote) {  // up to two quotes may belong to the text
        ++at_;
      }
      return;
    }
    ++at_;
    while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n') {
      at_ += quote == '"' && text_[at_] == '\\' ? 2U : 1U;
    }
    ++at_;
  }

  std::string_view text_;
  int dots_max_;
  std::size_t at_ = 0;
  int num_dots_ = 0;
};

Status fault_at(const toml::source_position& at, std::string_view message) {
  return bad_config(fmt::format("line {}, column {}: {}", at.line, at.column, message));
}

class Converter {
 public:
  explicit Converter(int depth_max) : depth_max_(depth_max) {}

  Result<TomlValue> convert(const toml::node& node, int depth) const {
    TomlValue value;
    const toml::source_position at = node.source().begin;
    value.line = static_cast<int>(at.line);
    value.column = static_cast<int>(at.column);
    if (depth > depth_max_) {
      return fault_at(at, fmt::format("nested deeper than {} levels", depth_max_));
    }
    if (const toml::table* table = node.as_table()) {
      TRY(convert_table(*table, depth, value));
    } else if (const toml::array* array = node.as_array()) {
      value.kind = TomlValue::Kind::kArray;
      for (const toml::node& element : *array) {
        TRY_ASSIGN(TomlValue converted, convert(element, depth + 1));
        value.array.push_back(std::move(converted));
      }
    } else if (const auto* string = node.as_string()) {
      value.kind = TomlValue::Kind::kString;
      value.string = string->get();
    } else if (const auto* integer = node.as_integer()) {
      value.kind = TomlValue::Kind::kInteger;
      value.integer = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
      value.kind = TomlValue::Kind::kFloat;
      value.number = number->get();
    } else if (const auto* boolean = node.as_boolean()) {
      value.kind = TomlValue::Kind::kBoolean;
      value.boolean = boolean->get();
    } else {
      return fault_at(at, "dates and times have no meaning here; write a string or a number");
    }
    return value;
  }

 private:
  Status convert_table(const toml::table& table, int depth, TomlValue& value) const {
    value.kind = TomlValue::Kind::kTable;
    for (const auto& [key, child] : table) {
      TRY_ASSIGN(TomlValue converted, convert(child, depth + 1));
      value.table.push_back({std::string(key.str()), std::move(converted)});
    }
    // toml++ sorts by name; people think in the order of their file.
    std::stable_sort(value.table.begin(), value.table.end(), [](const TomlEntry& a, const TomlEntry& b) {
      return std::pair(a.value.line, a.value.column) < std::pair(b.value.line, b.value.column);
    });
    return ok_status();
  }

  int depth_max_;
};

}  // namespace

const TomlValue* TomlValue::find(std::string_view key) const {
  for (const TomlEntry& entry : table) {
    if (entry.key == key) {
      return &entry.value;
    }
  }
  return nullptr;
}

std::string_view TomlValue::kind_name() const {
  switch (kind) {
    case Kind::kTable:
      return "table";
    case Kind::kArray:
      return "array";
    case Kind::kString:
      return "string";
    case Kind::kInteger:
      return "integer";
    case Kind::kFloat:
      return "float";
    default:
      return "boolean";
  }
}

Result<TomlValue> parse_toml(std::string_view text, const TomlLimits& limits) {
  constexpr int kDotsMax = 64;
  if (static_cast<std::int64_t>(text.size()) > limits.bytes_max) {
    return bad_config(fmt::format("{} bytes of TOML; at most {} are read", text.size(), limits.bytes_max));
  }
  const auto fault_at_offset = [&](std::size_t offset, std::string_view message) {
    const TextPosition position = text_position(text, offset);
    return bad_config(fmt::format("line {}, column {}: {}", position.line, position.column, message));
  };
  if (const std::optional<std::size_t> offset = find_invalid_utf8(text)) {
    return fault_at_offset(*offset, "this byte is not UTF-8");
  }
  if (const std::optional<std::size_t> offset = DotScan(text, kDotsMax).find_deep_key()) {
    return fault_at_offset(*offset, fmt::format("a key with more than {} dots", kDotsMax));
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return fault_at(parsed.error().source().begin, parsed.error().description());
  }
  TRY_ASSIGN(TomlValue root, Converter(limits.depth_max).convert(parsed.table(), 0));
  root.line = 0;
  root.column = 0;
  return root;
}

}  // namespace cairn
