// TOML 1.0 as a small tree with positions, in the order of the file. Dates and times are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cairn {

struct TomlEntry;

struct TomlValue {
  enum class Kind : std::uint8_t { kTable, kArray, kString, kInteger, kFloat, kBoolean };

  Kind kind = Kind::kTable;
  int line = 0;  // 1-based; 0 for the root
  int column = 0;
  std::vector<TomlEntry> table;  // kTable, in file order, keys unique
  std::vector<TomlValue> array;  // kArray
  std::string string;            // kString, UTF-8
  std::int64_t integer = 0;      // kInteger
  double number = 0;             // kFloat; may be inf or nan
  bool boolean = false;          // kBoolean

  const TomlValue* find(std::string_view key) const;  // null when this is no table or lacks the key
  std::string_view kind_name() const;  // "table", "array", "string", "integer", "float", "boolean"
};

struct TomlEntry {
  std::string key;
  TomlValue value;
};

struct TomlLimits {
  std::int64_t bytes_max = std::int64_t{1} << 20;
  int depth_max = 16;
};

// The root table, or kBadConfig "line 3, column 7: ...".
Result<TomlValue> parse_toml(std::string_view text, const TomlLimits& limits);

}  // namespace cairn
