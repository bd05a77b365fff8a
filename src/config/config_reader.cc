#include "config/config_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "config/config_text.h"

namespace cairn {
namespace {

// Marks values that come from the command line; files count lines from 1.
constexpr int kOverrideLine = -1;
constexpr std::size_t kShownCharsMax = 60;

std::string joined(const std::string& prefix, std::string_view key) {
  return prefix.empty() ? std::string(key) : prefix + "." + std::string(key);
}

std::string where(const TomlValue& value) {
  if (value.line == kOverrideLine) {
    return "--set: ";
  }
  return value.line > 0 ? fmt::format("line {}: ", value.line) : "";
}

// The value as far as it fits into a message.
std::string shown(const TomlValue& value) {
  switch (value.kind) {
    case TomlValue::Kind::kTable:
    case TomlValue::Kind::kArray:
      return "";
    case TomlValue::Kind::kString: {
      if (value.string.size() > kShownCharsMax) {
        std::size_t cut = kShownCharsMax;
        while (cut > 0 && (static_cast<unsigned char>(value.string[cut]) & 0xC0U) == 0x80U) {
          --cut;  // not inside a code point
        }
        return scalar_to_toml(value.string.substr(0, cut)) + "...";
      }
      return scalar_to_toml(value.string);
    }
    case TomlValue::Kind::kInteger:
      return scalar_to_toml(value.integer);
    case TomlValue::Kind::kFloat:
      return scalar_to_toml(value.number);
    case TomlValue::Kind::kBoolean:
      return scalar_to_toml(value.boolean);
  }
  return "";
}

// An integer is welcome where a real is wanted, not the other way round.
Scalar to_scalar(const TomlValue& value, LeafKind wanted) {
  switch (value.kind) {
    case TomlValue::Kind::kString:
      return value.string;
    case TomlValue::Kind::kInteger:
      return wanted == LeafKind::kReal ? Scalar(static_cast<double>(value.integer)) : Scalar(value.integer);
    case TomlValue::Kind::kFloat:
      return value.number;
    case TomlValue::Kind::kBoolean:
      return value.boolean;
    case TomlValue::Kind::kTable:
    case TomlValue::Kind::kArray:
      break;
  }
  return {};
}

bool is_array_of_tables(const TomlValue& value) {
  return value.kind == TomlValue::Kind::kArray &&
         std::all_of(value.array.begin(), value.array.end(),
                     [](const TomlValue& element) { return element.kind == TomlValue::Kind::kTable; });
}

TomlValue& entry(TomlValue& table, std::string_view key) {
  for (TomlEntry& existing : table.table) {
    if (existing.key == key) {
      return existing.value;
    }
  }
  TomlEntry added;
  added.key = std::string(key);
  added.value.line = kOverrideLine;
  table.table.push_back(std::move(added));
  return table.table.back().value;
}

void mark_as_override(TomlValue& value) {
  value.line = kOverrideLine;
  for (TomlEntry& inner : value.table) {
    mark_as_override(inner.value);
  }
  for (TomlValue& inner : value.array) {
    mark_as_override(inner);
  }
}

TomlValue parse_override_value(std::string_view text) {
  const bool is_one_line = text.find_first_of("\r\n") == std::string_view::npos;
  const Result<TomlValue> parsed = parse_toml("x = " + std::string(text), TomlLimits{});
  TomlValue value;
  if (is_one_line && parsed.ok() && parsed->table.size() == 1) {
    value = parsed->table.front().value;
  } else {
    value.kind = TomlValue::Kind::kString;
    value.string = std::string(text);
  }
  mark_as_override(value);
  return value;
}

bool is_index(std::string_view step) {
  return parse_int64(step).has_value();
}

// The place that one more step of a path leads to; null when there is none.
TomlValue* descend(TomlValue& place, std::string_view step, bool next_is_index) {
  if (place.kind == TomlValue::Kind::kArray) {
    const std::optional<std::int64_t> index = parse_int64(step);
    const auto size = static_cast<std::int64_t>(place.array.size());
    if (!index.has_value() || *index < 0 || *index > size) {
      return nullptr;
    }
    if (*index == size) {
      place.array.emplace_back().line = kOverrideLine;
    }
    return &place.array[static_cast<std::size_t>(*index)];
  }
  if (place.kind != TomlValue::Kind::kTable) {
    return nullptr;
  }
  const bool is_new = place.find(step) == nullptr;
  TomlValue& inner = entry(place, step);
  if (is_new && next_is_index) {
    inner.kind = TomlValue::Kind::kArray;
  }
  return &inner;
}

}  // namespace

bool ReadReport::is_doubtful(std::string_view path) const {
  return std::any_of(doubtful_paths.begin(), doubtful_paths.end(), [&](const std::string& doubtful) {
    return path == doubtful || (path.starts_with(doubtful) && path[doubtful.size()] == '.') ||
           (doubtful.starts_with(path) && doubtful[path.size()] == '.');
  });
}

void apply_override(TomlValue& root, std::string_view override_text, ReadReport& report) {
  const std::size_t equals = override_text.find('=');
  const std::string_view path = trim(override_text.substr(0, equals));
  const std::vector<std::string_view> steps = split(path, '.');
  const bool has_empty_step =
      std::any_of(steps.begin(), steps.end(), [](std::string_view s) { return s.empty(); });
  if (equals == std::string_view::npos || has_empty_step) {
    report.faults.add(fmt::format("--set {}", override_text), "", "is not of the form key.key=value",
                      "for example --set train.samples=1000");
    return;
  }
  TomlValue* place = &root;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool next_is_index = i + 1 < steps.size() && is_index(steps[i + 1]);
    place = descend(*place, steps[i], next_is_index);
    if (place == nullptr) {
      report.faults.add(std::string(path), "", fmt::format("--set: there is no place named {}", steps[i]),
                        "elements of an array of tables are addressed by number: data.stage.0.seed=7");
      report.doubtful_paths.emplace_back(path);
      return;
    }
  }
  *place = parse_override_value(trim(override_text.substr(equals + 1)));
}

ConfigReader::ConfigReader(const TomlValue& root, ReadReport& report) : report_(report) {
  tables_.push_back({&root, "", {}});
}

const TomlValue* ConfigReader::find(const FieldInfo& info) {
  OpenTable& table = tables_.back();
  table.known_keys.emplace_back(info.key);
  return table.value == nullptr ? nullptr : table.value->find(info.key);
}

void ConfigReader::add_fault(const std::string& path, const TomlValue& value, const std::string& reason,
                             std::string fix) {
  report_.faults.add(path, shown(value), where(value) + reason, std::move(fix));
  report_.doubtful_paths.push_back(path);
}

void ConfigReader::visit_leaf(const FieldInfo& info, const Leaf& leaf) {
  const TomlValue* value = find(info);
  if (value == nullptr) {
    return;
  }
  const std::string path = joined(tables_.back().path, info.key);
  const Scalar scalar = to_scalar(*value, leaf.kind());
  const std::string wrong = check_scalar(info, leaf, scalar);
  if (wrong.empty()) {
    leaf.set(scalar);
    return;
  }
  std::string reason = wrong;
  if (std::holds_alternative<std::monostate>(scalar)) {
    reason += fmt::format(" (found: {})", value->kind_name());
  }
  std::string fix = fmt::format("see `cairn config explain {}`", path);
  if (leaf.kind() == LeafKind::kChoice && value->kind == TomlValue::Kind::kString) {
    const std::vector<std::string> names(leaf.choices().begin(), leaf.choices().end());
    const std::string near = closest_match(value->string, names);
    fix = near.empty() ? fix : fmt::format("did you mean {}?", scalar_to_toml(near));
  }
  add_fault(path, *value, reason, std::move(fix));
}

bool ConfigReader::enter_table(const FieldInfo& info) {
  const TomlValue* value = find(info);
  const std::string path = joined(tables_.back().path, info.key);
  if (value != nullptr && value->kind != TomlValue::Kind::kTable) {
    add_fault(path, *value, fmt::format("must be a table, not a value of type {}", value->kind_name()),
              fmt::format("write [{}] and its keys below", path));
    value = nullptr;
  }
  tables_.push_back({value, path, {}});
  return true;
}

std::size_t ConfigReader::array_size(const FieldInfo& info, std::size_t current_size) {
  const TomlValue* value = find(info);
  if (value == nullptr) {
    return current_size;
  }
  if (!is_array_of_tables(*value)) {
    const std::string path = joined(tables_.back().path, info.key);
    add_fault(path, *value, "must be an array of tables",
              fmt::format("write [[{}]] and its keys below", path));
    return current_size;
  }
  return value->array.size();
}

bool ConfigReader::enter_element(const FieldInfo& info, std::size_t index) {
  const OpenTable& table = tables_.back();
  const TomlValue* array = table.value == nullptr ? nullptr : table.value->find(info.key);
  const bool has_element = array != nullptr && is_array_of_tables(*array) && index < array->array.size();
  tables_.push_back({has_element ? &array->array[index] : nullptr,
                     joined(table.path, info.key) + "." + std::to_string(index),
                     {}});
  return true;
}

void ConfigReader::add_unknown_key(const OpenTable& table, const std::string& key, const TomlValue& value) {
  const std::string path = joined(table.path, key);
  const std::string near = closest_match(key, table.known_keys);
  std::string fix = table.path.empty() ? "`cairn config explain` lists all keys"
                                       : fmt::format("`cairn config explain {}` lists its keys", table.path);
  if (!near.empty()) {
    const std::string near_path = joined(table.path, near);
    fix = fmt::format("did you mean {}?", near_path);
    report_.doubtful_paths.push_back(near_path);
  }
  add_fault(path, value, "there is no such key", std::move(fix));
}

void ConfigReader::leave_table() {
  const OpenTable table = std::move(tables_.back());
  tables_.pop_back();
  if (table.value == nullptr) {
    return;
  }
  for (const TomlEntry& item : table.value->table) {
    const auto& known = table.known_keys;
    if (std::find(known.begin(), known.end(), item.key) == known.end()) {
      add_unknown_key(table, item.key, item.value);
    }
  }
}

void ConfigReader::visit_reserved(const FieldInfo& info) {
  const TomlValue* value = find(info);
  if (value == nullptr) {
    return;
  }
  const std::string path = joined(tables_.back().path, info.key);
  if (value->kind == TomlValue::Kind::kTable) {
    for (const TomlEntry& item : value->table) {
      add_fault(joined(path, item.key), item.value, "is not implemented yet", "remove it");
    }
    return;
  }
  add_fault(path, *value, "is not implemented yet", "remove it");
}

}  // namespace cairn
