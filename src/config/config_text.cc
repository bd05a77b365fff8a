#include "config/config_text.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"

namespace cairn {
namespace {

std::string joined(const std::string& prefix, std::string_view key) {
  return prefix.empty() ? std::string(key) : prefix + "." + std::string(key);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F) {
          out += fmt::format("\\u{:04X}", static_cast<unsigned>(byte));
        } else {
          out += c;
        }
      }
    }
  }
  return out + "\"";
}

std::string real_to_toml(double value) {
  if (!std::isfinite(value)) {
    return std::isnan(value) ? "nan" : (value > 0 ? "inf" : "-inf");
  }
  std::string text;
  append_json_number(text, value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

// A limit without a needless fraction.
std::string limit_text(double limit, LeafKind kind) {
  return kind == LeafKind::kInteger ? fmt::format("{}", static_cast<std::int64_t>(limit))
                                    : real_to_toml(limit);
}

std::string range_text(const FieldInfo& info, LeafKind kind) {
  std::string text;
  if (std::isfinite(info.min)) {
    text += (info.is_min_exclusive ? "more than " : "at least ") + limit_text(info.min, kind);
  }
  if (std::isfinite(info.max)) {
    text += text.empty() ? "" : " and ";
    text += (info.is_max_exclusive ? "less than " : "at most ") + limit_text(info.max, kind);
  }
  return text;
}

std::string choices_text(const Leaf& leaf) {
  std::string text;
  for (const std::string_view name : leaf.choices()) {
    text += (text.empty() ? "" : ", ") + quoted(name);
  }
  return (leaf.choices().size() == 1 ? "" : "one of ") + text;
}

std::string_view kind_text(LeafKind kind) {
  switch (kind) {
    case LeafKind::kBool:
      return "true or false";
    case LeafKind::kInteger:
      return "an integer";
    case LeafKind::kReal:
      return "a number";
    case LeafKind::kText:
    case LeafKind::kChoice:
      return "text in quotes";
  }
  return "";
}

bool is_in_range(const FieldInfo& info, double value) {
  const bool is_above = info.is_min_exclusive ? value > info.min : value >= info.min;
  const bool is_below = info.is_max_exclusive ? value < info.max : value <= info.max;
  return is_above && is_below;
}

bool has_kind(LeafKind kind, const Scalar& value) {
  switch (kind) {
    case LeafKind::kBool:
      return std::holds_alternative<bool>(value);
    case LeafKind::kInteger:
      return std::holds_alternative<std::int64_t>(value);
    case LeafKind::kReal:
      return std::holds_alternative<double>(value);
    case LeafKind::kText:
    case LeafKind::kChoice:
      return std::holds_alternative<std::string>(value);
  }
  return false;
}

}  // namespace

std::string scalar_to_toml(const Scalar& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) {
    return *boolean ? "true" : "false";
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return fmt::format("{}", *integer);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return real_to_toml(*real);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return quoted(*text);
  }
  return "";
}

std::string check_scalar(const FieldInfo& info, const Leaf& leaf, const Scalar& value) {
  if (!has_kind(leaf.kind(), value)) {
    return fmt::format("must be {}", kind_text(leaf.kind()));
  }
  if (leaf.kind() == LeafKind::kChoice) {
    const auto& name = std::get<std::string>(value);
    const auto choices = leaf.choices();
    return std::find(choices.begin(), choices.end(), name) != choices.end() ? ""
                                                                            : "must be " + choices_text(leaf);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    if (!std::isfinite(*real)) {
      return "must be a finite number";
    }
    return is_in_range(info, *real) ? "" : "must be " + range_text(info, leaf.kind());
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return is_in_range(info, static_cast<double>(*integer)) ? "" : "must be " + range_text(info, leaf.kind());
  }
  return "";
}

std::string describe_type(const FieldInfo& info, const Leaf& leaf) {
  std::string text =
      leaf.kind() == LeafKind::kChoice ? choices_text(leaf) : std::string(kind_text(leaf.kind()));
  const std::string range = range_text(info, leaf.kind());
  if (!range.empty()) {
    text += ", " + range;
  }
  return text;
}

std::vector<FieldDifference> diff_fields(std::span<const FlatField> left, std::span<const FlatField> right) {
  const auto find = [](std::span<const FlatField> fields, const std::string& path) -> const FlatField* {
    const auto it =
        std::find_if(fields.begin(), fields.end(), [&](const FlatField& f) { return f.path == path; });
    return it == fields.end() ? nullptr : &*it;
  };
  std::vector<FieldDifference> differences;
  for (const FlatField& field : left) {
    const FlatField* other = find(right, field.path);
    if (other == nullptr || other->value != field.value) {
      differences.push_back({field.path, field.value, other == nullptr ? "" : other->value});
    }
  }
  for (const FlatField& field : right) {
    if (find(left, field.path) == nullptr) {
      differences.push_back({field.path, "", field.value});
    }
  }
  return differences;
}

Hash128 hash_fields(std::span<const FlatField> fields) {
  Hasher hasher;
  for (const FlatField& field : fields) {
    hasher.update(field.path + " = " + field.value + "\n");
  }
  return hasher.digest();
}

void FlattenVisitor::visit_leaf(const FieldInfo& info, const Leaf& leaf) {
  fields_.push_back({joined(prefixes_.back(), info.key), scalar_to_toml(leaf.get())});
}

bool FlattenVisitor::enter_table(const FieldInfo& info) {
  prefixes_.push_back(joined(prefixes_.back(), info.key));
  return true;
}

bool FlattenVisitor::enter_element(const FieldInfo& info, std::size_t index) {
  prefixes_.push_back(joined(prefixes_.back(), info.key) + "." + std::to_string(index));
  return true;
}

std::string TomlWriter::take() {
  std::string text = tables_.back().leaves + tables_.back().inner;
  return !text.empty() && text.front() == '\n' ? text.substr(1) : text;
}

void TomlWriter::visit_leaf(const FieldInfo& info, const Leaf& leaf) {
  const std::string value = scalar_to_toml(leaf.get());
  if (value.empty()) {
    return;
  }
  std::string line = fmt::format("{} = {}", info.key, value);
  if (info.key.find(info.unit) == std::string_view::npos) {  // "samples = 5  # samples" says nothing
    line += fmt::format("  # {}", info.unit);
  }
  tables_.back().leaves += line + "\n";
}

bool TomlWriter::enter_table(const FieldInfo& info) {
  const std::string path = joined(tables_.back().path, info.key);
  tables_.push_back({path, "[" + path + "]", "", "", false});
  return true;
}

bool TomlWriter::enter_element(const FieldInfo& info, std::size_t /*index*/) {
  const std::string path = joined(tables_.back().path, info.key);
  tables_.push_back({path, "[[" + path + "]]", "", "", true});
  return true;
}

void TomlWriter::leave_table() {
  const OpenTable table = std::move(tables_.back());
  tables_.pop_back();
  std::string& out = tables_.back().inner;
  if (table.is_element || !table.leaves.empty()) {
    out += "\n" + table.header + "\n" + table.leaves;
  }
  out += table.inner;
}

void DocumentVisitor::visit_leaf(const FieldInfo& info, const Leaf& leaf) {
  documents_.push_back({joined(prefixes_.back(), info.key), "", describe_type(info, leaf),
                        scalar_to_toml(leaf.get()), std::string(info.unit), std::string(info.doc), false});
}

bool DocumentVisitor::enter_table(const FieldInfo& info) {
  const std::string path = joined(prefixes_.back(), info.key);
  documents_.push_back({path, "[" + path + "]", "", "", "", std::string(info.doc), false});
  prefixes_.push_back(path);
  return true;
}

bool DocumentVisitor::enter_element(const FieldInfo& info, std::size_t /*index*/) {
  const std::string path = joined(prefixes_.back(), info.key);
  documents_.push_back({path, "[[" + path + "]]", "", "", "", std::string(info.doc), false});
  prefixes_.push_back(path);
  return true;
}

void DocumentVisitor::visit_reserved(const FieldInfo& info) {
  documents_.push_back(
      {joined(prefixes_.back(), info.key), "", "reserved", "", "", std::string(info.doc), true});
}

}  // namespace cairn
