#include "tokenizer/file_faults.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kFaultsMax = 20;
constexpr std::size_t kShownBytesMax = 80;

}  // namespace

std::string shown(std::string_view text) {
  return text.size() <= kShownBytesMax ? std::string(text)
                                       : replace_invalid_utf8(text.substr(0, kShownBytesMax)) + "...";
}

std::string shown_json(const Json& value) {
  return value.is_structured() ? std::string(json_kind(value)) : shown(json_to_text(value, -1));
}

std::string_view text_member(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  return value == nullptr ? std::string_view() : as_string(*value).value_or(std::string_view());
}

void FileFaults::add(std::string field, std::string value, std::string reason, std::string fix) {
  if (faults_.list().size() < kFaultsMax) {
    faults_.add(std::move(field), std::move(value), std::move(reason), std::move(fix));
  }
}

void FileFaults::refuse(const std::string& field, const Json& value) {
  add(field, shown_json(value), "is not implemented", std::string(supported_));
}

void FileFaults::check_keys(const std::string& field, const Json& object,
                            std::span<const std::string_view> known) {
  for (const auto& member : object.items()) {
    if (std::ranges::find(known, member.key()) == known.end()) {
      add(fmt::format("{}.{}", field, shown(member.key())), shown_json(member.value()),
          "is not a known field", std::string(supported_));
    }
  }
}

bool FileFaults::flag(const std::string& field, const Json& object, std::string_view key, bool missing) {
  const Json* value = find(object, key);
  if (value == nullptr) {
    return missing;
  }
  const std::optional<bool> is_set = as_bool(*value);
  if (!is_set) {
    add(fmt::format("{}.{}", field, key), shown_json(*value), "is not true or false", "correct the file");
  }
  return is_set.value_or(missing);
}

}  // namespace cairn::tokenizer
