// Reads text files in batches of about a mebibyte, cut between documents. How a batch is cut depends on nothing but the place
// where it begins, so that work can be taken up again at any batch's end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/text_input.h"
#include "doors/file_system.h"
#include "formats/byte_stream.h"
#include "formats/parquet.h"

namespace cairn::data {

struct TextOptions {
  std::string field = "text";        // of JSON lines and Parquet
  std::vector<std::string> columns;  // fields that go along with a document, as text
  bool requires_columns = false;     // a Parquet file without one of them is an error
  bool replace_bad_bytes = false;    // true: bytes that are not UTF-8 become U+FFFD and are counted
  std::int64_t document_bytes_max = std::int64_t{1} << 30;
};

// A place between documents.
struct TextPlace {
  std::int64_t input = 0;
  std::int64_t offset = 0;  // bytes of text, or rows of a Parquet file, before it
  std::int64_t line = 0;    // lines before it

  friend bool operator==(const TextPlace&, const TextPlace&) = default;
};

// A part of one file with whole documents.
struct TextPiece {
  TextPlace place;
  std::size_t begin = 0;  // in TextBatch::bytes
  std::size_t size = 0;
  std::size_t first_value =
      0;  // of a Parquet row: its columns are values [first_value, first_value + columns)
};

struct TextBatch {
  std::string bytes;
  std::vector<TextPiece> pieces;
  std::vector<std::string> values;  // columns of Parquet rows
  TextPlace end;
  std::int64_t file_bytes = 0;  // of all inputs that were read for this batch, compressed as they are
};

class TextBatchReader {
 public:
  // Reads inputs [begin.input, end_input), the first from `begin`. The inputs outlive the reader.
  TextBatchReader(FileSystem& files, std::span<const TextInput> inputs, TextOptions options, TextPlace begin,
                  std::int64_t end_input);

  // Overwrites `batch`; false, with an empty batch, at the end. kBadData naming file and byte where a file is damaged, is
  // not what the list says, or has a document that is too long.
  Result<bool> next(TextBatch& batch);

 private:
  Status open_input();
  Status close_input();
  Status read_piece(TextBatch& batch);
  Status read_rows(TextBatch& batch);
  Status read_more(std::string& bytes, std::size_t count, bool& is_end);
  Status check_length(std::size_t size) const;
  const TextInput& input() const { return inputs_[static_cast<std::size_t>(place_.input)]; }

  FileSystem* files_;
  std::span<const TextInput> inputs_;
  TextOptions options_;
  TextPlace place_;
  std::int64_t end_input_;
  std::optional<ByteStream> stream_;  // of place_.input, once it is open
  std::optional<ParquetReader> rows_;
  std::string carry_;  // read, but behind the last cut
  bool is_stream_done_ = false;
  std::int64_t file_offset_ = 0;
};

}  // namespace cairn::data
