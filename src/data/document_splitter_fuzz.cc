// Documents from any bytes: UTF-8, not empty, within the limit, in order. The first byte chooses how the rest is cut.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "data/document_splitter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace data_plane = cairn::data;
  if (size == 0) {
    return 0;
  }
  data_plane::TextOptions options;
  options.columns = {"url", "meta.licence"};
  options.replace_bad_bytes = (data[0] & 4U) != 0;
  options.document_bytes_max = (data[0] & 8U) != 0 ? 64 : std::int64_t{1} << 20;
  const auto unit = static_cast<data_plane::DocumentUnit>(data[0] & 3U);
  const std::vector<data_plane::TextInput> inputs = {{"f", unit, static_cast<std::int64_t>(size) - 1, 0}};
  data_plane::TextBatch batch;
  batch.bytes.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  batch.pieces = {{data_plane::TextPlace{}, 0, batch.bytes.size(), 0}};
  data_plane::DocumentSplitter splitter(inputs, options);
  data_plane::DocumentCounts counts;
  std::int64_t num_documents = 0;
  std::int64_t last_offset = -1;
  const cairn::Status status = splitter.split(batch, counts, [&](const data_plane::Document& document) {
    ++num_documents;
    CHECK(!document.text.empty() && cairn::is_valid_utf8(document.text), "not a document");
    CHECK(static_cast<std::int64_t>(document.text.size()) <= options.document_bytes_max, "too long");
    CHECK(document.offset > last_offset && document.columns.size() == 2, "not in order");
    last_offset = document.offset;
    return cairn::ok_status();
  });
  CHECK(counts.documents == num_documents, "a document was not counted");
  CHECK(!status.ok() || options.replace_bad_bytes || counts.bad_bytes == 0, "bytes were replaced");
  return 0;
}
