#include "formats/json.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <iterator>
#include <limits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace cairn {
namespace {

// Reads the text and tells, through `place`, how far the parser has come: its callbacks do not say.
class PlacedIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  PlacedIterator(const char* at, const char** place) : at_(at), place_(place) {}
  reference operator*() const { return *at_; }
  PlacedIterator& operator++() {
    ++at_;
    *place_ = at_;
    return *this;
  }
  PlacedIterator operator++(int) {
    PlacedIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const PlacedIterator& a, const PlacedIterator& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  const char** place_;
};

// Builds the value from the parser's events. Members are pushed to the end of an object, which costs the same
// for the millionth key as for the first; the set of keys finds what comes twice.
class Builder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  explicit Builder(int depth_max) : depth_max_(depth_max) {}

  bool null() { return add(Json(nullptr)); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(number_integer_t value) { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) { return add(Json(value)); }
  bool number_float(number_float_t value, const string_t&) { return add(Json(value)); }
  bool string(string_t& value) { return add(Json(std::move(value))); }
  bool binary(binary_t&) { return fail("binary values are not JSON"); }

  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(string_t& name) {
    Level& level = levels_.back();
    if (!level.keys.insert(name).second) {
      return fail(fmt::format("the key '{}' comes twice in one object", name.substr(0, 100)));
    }
    level.key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...": the part after
    // the place, which is stated in our own way.
    std::string text = error.what();
    const std::size_t place = text.find("column ");
    const std::size_t colon = text.find(": ", place == std::string::npos ? 0 : place);
    const std::size_t bracket = text.find("] ");
    if (place != std::string::npos && colon != std::string::npos) {
      text = text.substr(colon + 2);
    } else if (bracket != std::string::npos) {
      text = text.substr(bracket + 2);
    }
    return fail(replace_invalid_utf8(text));
  }

  const std::string& error() const { return error_; }
  Json take() { return std::move(root_); }

 private:
  struct Level {
    Json* value;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  bool fail(std::string message) {
    if (error_.empty()) {
      error_ = std::move(message);
    }
    return false;
  }

  Json* place(Json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = levels_.back();
    if (level.value->is_array()) {
      auto& elements = level.value->get_ref<Json::array_t&>();
      elements.push_back(std::move(value));
      return &elements.back();
    }
    auto& members = level.value->get_ref<Json::object_t&>();
    members.emplace_back(std::move(level.key), std::move(value));
    return &members.back().second;
  }

  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (static_cast<int>(levels_.size()) >= depth_max_) {
      return fail(fmt::format("nested deeper than {} levels", depth_max_));
    }
    // Pointers to open levels stay valid: only the innermost one grows.
    levels_.push_back({place(std::move(value)), {}, {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  int depth_max_;
  Json root_;
  std::vector<Level> levels_;
  std::string error_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (static_cast<std::int64_t>(text.size()) > limits.bytes_max) {
    return bad_data(fmt::format("JSON of {} bytes; at most {} are read", text.size(), limits.bytes_max));
  }
  // The parser takes a zero byte for the end of the text, and would not see what follows.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    const TextPosition position = text_position(text, zero);
    return bad_data(fmt::format("JSON line {}, column {}: a zero byte", position.line, position.column));
  }
  const char* place = text.data();
  Builder builder(limits.depth_max);
  bool is_parsed = false;
  std::string error;
  try {
    is_parsed = Json::sax_parse(PlacedIterator(text.data(), &place),
                                PlacedIterator(text.data() + text.size(), &place), &builder);
    error = builder.error();
  } catch (const std::exception& caught) {
    error = caught.what();
  }
  if (!is_parsed || !error.empty()) {
    // The parser has taken the offending byte already.
    const auto taken = static_cast<std::size_t>(place - text.data());
    const TextPosition position = text_position(text, taken > 0 ? taken - 1 : 0);
    return bad_data(fmt::format("JSON line {}, column {}: {}", position.line, position.column,
                                error.empty() ? "not JSON" : error));
  }
  return builder.take();
}

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) {
    return nullptr;
  }
  for (const auto& [name, value] : object.get_ref<const Json::object_t&>()) {
    if (name == key) {
      return &value;
    }
  }
  return nullptr;
}

std::optional<std::int64_t> as_int64(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return std::nullopt;
    }
    return static_cast<std::int64_t>(number);
  }
  return value.is_number_integer() ? std::optional(value.get<std::int64_t>()) : std::nullopt;
}

std::optional<double> as_double(const Json& value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

std::optional<std::string_view> as_string(const Json& value) {
  if (!value.is_string()) {
    return std::nullopt;
  }
  return std::string_view(value.get_ref<const std::string&>());
}

std::optional<bool> as_bool(const Json& value) {
  return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
}

std::string_view json_kind(const Json& value) {
  if (value.is_number()) {
    return value.is_number_integer() ? "integer" : "number";
  }
  return value.type_name();  // object, array, string, boolean, null
}

std::string json_to_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cairn
