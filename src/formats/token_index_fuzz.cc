// What is accepted can be walked within both files.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/check.h"
#include "formats/token_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t bin_size = 0;
  if (size < sizeof bin_size) {
    return 0;
  }
  std::memcpy(&bin_size, data, sizeof bin_size);
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(sizeof bin_size);
  const auto limit = static_cast<std::int64_t>(bin_size >> 1);
  const cairn::Result<cairn::TokenIndex> index = cairn::parse_token_index(bytes, limit);
  if (index.ok()) {
    std::int64_t num_tokens = 0;
    for (std::size_t i = 0; i < index->lengths.size(); ++i) {
      const std::int64_t num_bytes = index->lengths[i] * cairn::token_type_size(index->type);
      CHECK(index->offsets[i] >= 0 && num_bytes <= limit - index->offsets[i], "outside the .bin file");
      num_tokens += index->lengths[i];
    }
    CHECK(num_tokens == index->num_tokens, "wrong count");
    CHECK(index->num_documents() >= 0 && index->documents.back() == index->num_sequences(),
          "wrong documents");
  }
  return 0;
}
