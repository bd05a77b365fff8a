// What is accepted names plain files, and survives being written.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "formats/safetensors_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const cairn::Result<cairn::SafetensorsIndex> index = cairn::parse_safetensors_index(text);
  if (index.ok()) {
    for (const std::string& name : index->file_names()) {
      CHECK(name.find_first_of("/\\") == std::string::npos && name != "..", "a name that leaves the folder");
    }
    const auto again = cairn::parse_safetensors_index(cairn::safetensors_index_to_text(*index));
    CHECK(again.ok() && again->weight_map == index->weight_map, "writing changed the index");
    CHECK(again->total_size == index->total_size, "writing changed the size");
  }
  return 0;
}
