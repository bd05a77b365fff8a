// Document origins from any bytes: a block alone, and a whole file. What is accepted can be read everywhere.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "doors/sim_file_system.h"
#include "formats/document_origins.h"

namespace {

void read_everything(const cairn::OriginsBlock& block, std::int64_t num_columns, std::int64_t num_sources) {
  for (std::int64_t d = 0; d < block.num_documents(); ++d) {
    CHECK(block.source(d) >= 0 && block.source(d) < num_sources && block.offset(d) >= 0, "no place");
    for (std::int64_t c = 0; c < num_columns; ++c) {
      const std::string copy(block.column(c, d));
      CHECK(copy.size() < (std::size_t{1} << 32), "a value has no such length");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  const std::int64_t num_columns = data[0] & 3U;
  const auto block =
      cairn::OriginsBlock::parse(std::vector<std::byte>(begin + 1, begin + size), num_columns, 7);
  if (block.ok()) {
    read_everything(*block, num_columns, 7);
  }
  cairn::SimFileSystem files(1);
  CHECK(files.replace_text("f", std::string_view(reinterpret_cast<const char*>(data), size)).ok(),
        "not written");
  const auto origins = cairn::DocumentOrigins::open(files, "f");
  for (std::size_t b = 0; origins.ok() && b < origins->blocks().size(); ++b) {
    const auto read = origins->read_block(static_cast<std::int64_t>(b));
    if (read.ok()) {
      read_everything(*read, static_cast<std::int64_t>(origins->names().columns.size()),
                      static_cast<std::int64_t>(origins->names().sources.size()));
    }
  }
  return 0;
}
