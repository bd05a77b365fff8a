// Documents from any bytes: UTF-8, not empty, within the limit. The first byte chooses how the rest is cut.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "data/document_reader.h"
#include "doors/sim_file_system.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  cairn::data::DocumentOptions options;
  options.unit = static_cast<cairn::data::DocumentUnit>(data[0] & 3U);
  options.replace_bad_bytes = (data[0] & 4U) != 0;
  options.document_bytes_max = (data[0] & 8U) != 0 ? 64 : std::int64_t{1} << 20;
  cairn::SimFileSystem files(1);
  CHECK(files.replace_text("f", text).ok(), "the file was not written");
  auto reader = cairn::data::DocumentReader::open(files, "f", options);
  CHECK(reader.ok(), reader.status().message());
  std::string document;
  std::int64_t num_documents = 0;
  while (true) {
    const cairn::Result<bool> more = reader->next(document);
    if (!more.ok() || !*more) {
      CHECK(!more.ok() || reader->bytes_read() == reader->file_bytes(), "the end came before the last byte");
      break;
    }
    ++num_documents;
    CHECK(!document.empty() && cairn::is_valid_utf8(document), "not a document");
  }
  CHECK(reader->counts().documents == num_documents, "a document was not counted");
  CHECK(options.replace_bad_bytes || reader->counts().bad_bytes == 0, "bytes were replaced");
  return 0;
}
