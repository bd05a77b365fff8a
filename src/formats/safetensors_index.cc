#include "formats/safetensors_index.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/check.h"
#include "formats/json.h"

namespace cairn {
namespace {

// A name that stays in the folder of the index whatever it says.
bool is_plain_file_name(std::string_view name) {
  constexpr std::size_t kLengthMax = 255;
  const bool is_bounded = !name.empty() && name.size() <= kLengthMax && name != "." && name != "..";
  return is_bounded && std::none_of(name.begin(), name.end(), [](char c) {
           return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
         });
}

}  // namespace

std::vector<std::string> SafetensorsIndex::file_names() const {
  std::set<std::string> names;
  for (const auto& [tensor, file] : weight_map) {
    names.insert(file);
  }
  return {names.begin(), names.end()};
}

Result<SafetensorsIndex> parse_safetensors_index(std::string_view text) {
  constexpr JsonLimits kLimits = {kSafetensorsIndexBytesMax, 8};
  TRY_ASSIGN(const Json json, parse_json(text, kLimits));
  const Json* weight_map = find(json, "weight_map");
  if (weight_map == nullptr || !weight_map->is_object()) {
    return bad_data("the index has no weight_map");
  }
  SafetensorsIndex index;
  for (const auto& [tensor, value] : weight_map->get_ref<const Json::object_t&>()) {
    const std::optional<std::string_view> file = as_string(value);
    if (!file || !is_plain_file_name(*file)) {
      return bad_data(fmt::format("weight_map '{}': {} is no plain file name", tensor.substr(0, 200),
                                  json_to_text(value, -1).substr(0, 300)));
    }
    index.weight_map.emplace(tensor, *file);
  }
  const Json* metadata = find(json, "metadata");
  const Json* total_size = metadata == nullptr ? nullptr : find(*metadata, "total_size");
  if (total_size != nullptr) {
    // Some writers state it as 1234.0.
    const std::optional<double> number = as_double(*total_size);
    if (!number || !(*number >= 0) || *number >= 0x1p63) {
      return bad_data("metadata.total_size is no size");
    }
    index.total_size = as_int64(*total_size).value_or(static_cast<std::int64_t>(*number));
  }
  return index;
}

std::string safetensors_index_to_text(const SafetensorsIndex& index) {
  Json json = Json::object();
  json["metadata"] = Json::object();
  json["metadata"]["total_size"] = index.total_size;
  Json weight_map = Json::object();
  auto& members = weight_map.get_ref<Json::object_t&>();
  for (const auto& [tensor, file] : index.weight_map) {
    members.emplace_back(tensor, file);
  }
  json["weight_map"] = std::move(weight_map);
  return json_to_text(json, 2) + "\n";
}

std::string safetensors_shard_name(std::string_view stem, int index, int count) {
  CHECK(index >= 0 && index < count && count <= 99999, "no such shard");
  if (count == 1) {
    return fmt::format("{}.safetensors", stem);
  }
  return fmt::format("{}-{:05}-of-{:05}.safetensors", stem, index + 1, count);
}

}  // namespace cairn
