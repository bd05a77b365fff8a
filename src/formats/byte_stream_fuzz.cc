// Compressed text from any bytes; the first chooses the kind. It ends, within the output that these bytes can stand for.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "doors/sim_file_system.h"
#include "formats/byte_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t kTextMax = std::int64_t{1} << 26;
  if (size == 0) {
    return 0;
  }
  const char* path = (data[0] & 1U) != 0 ? "f.gz" : "f.zst";
  cairn::SimFileSystem files(1);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  CHECK(files.replace_text(path, text).ok(), "not written");
  auto stream = cairn::ByteStream::open(files, path);
  CHECK(stream.ok(), stream.status().message());
  std::array<std::byte, 5000> part{};
  while (stream->offset() < kTextMax) {
    const auto count = stream->read(part);
    if (!count.ok() || *count < part.size()) {
      break;
    }
  }
  CHECK(stream->file_offset() <= static_cast<std::int64_t>(size) - 1, "more was read than there is");
  return 0;
}
