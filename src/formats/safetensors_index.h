// model.safetensors.index.json: which file of a sharded model holds which tensor.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cairn {

struct SafetensorsIndex {
  std::map<std::string, std::string> weight_map;  // tensor name -> file name, sorted
  std::int64_t total_size = 0;                    // bytes of all tensors, headers not counted

  std::vector<std::string> file_names() const;  // each once, sorted
};

inline constexpr std::int64_t kSafetensorsIndexBytesMax = std::int64_t{256} << 20;

// kBadData when it is no index, or a file name is not plain: a path separator, "..", empty, a control
// character.
Result<SafetensorsIndex> parse_safetensors_index(std::string_view text);
// As save_pretrained writes it: two spaces of indent, metadata first, names sorted, newline at the end.
std::string safetensors_index_to_text(const SafetensorsIndex& index);

// "model-00001-of-00004.safetensors" from ("model", 0, 4); "model.safetensors" when there is one file.
std::string safetensors_shard_name(std::string_view stem, int index, int count);

}  // namespace cairn
