#include "checkpoint/json_fields.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace cairn::checkpoint {
namespace {

constexpr std::size_t kShownValueMax = 60;
constexpr std::string_view kFix =
    "the file is damaged or was written by another version; restore or remove it";

std::string shown(const Json& value) {
  std::string text = json_to_text(value, -1);
  if (text.size() > kShownValueMax) {
    text.resize(kShownValueMax);
    text += "...";
  }
  return text;
}

}  // namespace

FieldReader::FieldReader(const Json* object, std::string where, Faults& faults)
    : object_(object), where_(std::move(where)), faults_(faults) {
  if (object_ != nullptr && !object_->is_object()) {
    faults_.add(where_.empty() ? "file" : where_, shown(*object_), "is no object", std::string(kFix));
    object_ = nullptr;
  }
}

std::string FieldReader::path(std::string_view key) const {
  return where_.empty() ? std::string(key) : fmt::format("{}.{}", where_, key);
}

void FieldReader::fault(std::string_view key, const Json& value, std::string reason) {
  faults_.add(path(key), shown(value), std::move(reason), std::string(kFix));
}

const Json* FieldReader::member(std::string_view key, std::string_view wanted_kind) {
  known_.emplace(key);
  if (object_ == nullptr) {
    return nullptr;
  }
  const Json* value = find(*object_, key);
  if (value == nullptr) {
    faults_.add(path(key), "", fmt::format("is missing ({} wanted)", wanted_kind), std::string(kFix));
  }
  return value;
}

std::int64_t FieldReader::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const Json* value = member(key, "integer");
  if (value == nullptr) {
    return 0;
  }
  const auto number = as_int64(*value);
  if (!number || *number < min || *number > max) {
    fault(key, *value, fmt::format("is no integer from {} to {}", min, max));
    return 0;
  }
  return *number;
}

std::uint64_t FieldReader::unsigned_integer(std::string_view key) {
  const Json* value = member(key, "integer");
  if (value == nullptr) {
    return 0;
  }
  if (value->is_number_unsigned()) {
    return value->get<std::uint64_t>();
  }
  const auto number = as_int64(*value);
  if (!number || *number < 0) {
    fault(key, *value, "is no integer from 0 to 2^64 - 1");
    return 0;
  }
  return static_cast<std::uint64_t>(*number);
}

double FieldReader::number(std::string_view key) {
  const Json* value = member(key, "number");
  if (value == nullptr) {
    return 0.0;
  }
  const auto number = as_double(*value);
  if (!number || !std::isfinite(*number)) {
    fault(key, *value, "is no number");
    return 0.0;
  }
  return *number;
}

std::string FieldReader::text(std::string_view key) {
  const Json* value = member(key, "string");
  if (value == nullptr) {
    return "";
  }
  const auto text = as_string(*value);
  if (!text) {
    fault(key, *value, "is no string");
    return "";
  }
  return std::string(*text);
}

Hash128 FieldReader::hash(std::string_view key) {
  const Json* value = member(key, "string");
  if (value == nullptr) {
    return {};
  }
  const auto text = as_string(*value);
  const auto hash = text ? Hash128::from_hex(*text) : std::nullopt;
  if (!hash) {
    fault(key, *value, "is no XXH3-128 of 32 hex digits");
    return {};
  }
  return *hash;
}

const Json* FieldReader::array(std::string_view key) {
  const Json* value = member(key, "array");
  if (value != nullptr && !value->is_array()) {
    fault(key, *value, "is no array");
    return nullptr;
  }
  return value;
}

const Json* FieldReader::object(std::string_view key) {
  const Json* value = member(key, "object");
  if (value != nullptr && !value->is_object()) {
    fault(key, *value, "is no object");
    return nullptr;
  }
  return value;
}

void FieldReader::finish() {
  if (object_ == nullptr) {
    return;
  }
  for (const auto& [key, value] : object_->items()) {
    if (!known_.contains(key)) {
      fault(key, value, "is not a known key");
    }
  }
}

}  // namespace cairn::checkpoint
