// JSON texts of limited size and depth. Include it in .cc files only: it is the slowest header of the tree.
// Objects keep the order of the file; looking a key up walks the object, iterating is free.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/status.h"

namespace cairn {

using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::int64_t bytes_max = std::int64_t{64} << 20;
  int depth_max = 64;
};

// kBadData with line and column when the text is too long, too deep, not UTF-8, has a key twice in one
// object, has a number beyond double, or is no JSON. Nothing may follow the value but white space.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits);

// Lookups that cannot fail. find: null when `object` is no object or lacks the key.
const Json* find(const Json& object, std::string_view key);
std::optional<std::int64_t> as_int64(const Json& value);       // integers that fit; 3.0 is not one
std::optional<double> as_double(const Json& value);            // any number
std::optional<std::string_view> as_string(const Json& value);  // borrowed from value
std::optional<bool> as_bool(const Json& value);
// "object", "array", "string", "integer", "number", "boolean", "null": for messages.
std::string_view json_kind(const Json& value);

// indent < 0: one line without spaces. Otherwise one member per line. Numbers read back to the same value;
// non-finite numbers become null and invalid UTF-8 becomes U+FFFD (JSON has neither).
std::string json_to_text(const Json& value, int indent);

}  // namespace cairn
