// The header parser: what it accepts lies in the file, tensor after tensor, without overlap.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/check.h"
#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The first bytes choose how much longer than the header the file claims to be.
  std::uint32_t extra = 0;
  if (size < sizeof extra) {
    return 0;
  }
  std::memcpy(&extra, data, sizeof extra);
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(sizeof extra);
  const std::int64_t file_size = static_cast<std::int64_t>(bytes.size()) + (extra >> 8);
  const cairn::Result<cairn::SafetensorsHeader> header = cairn::parse_safetensors_header(bytes, file_size);
  if (header.ok()) {
    std::int64_t total = 0;
    for (const cairn::SafetensorsInfo& tensor : header->tensors) {
      CHECK(tensor.offset >= 8 && tensor.num_bytes >= 0, "outside the file");
      CHECK(tensor.num_bytes <= file_size - tensor.offset, "outside the file");
      CHECK(tensor.num_bytes == tensor.shape.num_elements() * cairn::dtype_size(tensor.dtype), "wrong size");
      CHECK(header->find(tensor.name) == &tensor, "names are unique and sorted");
      total += tensor.num_bytes;
    }
    CHECK(total <= file_size, "the tensors are larger than the file");
  }
  return 0;
}
