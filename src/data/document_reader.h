// Cuts text files into documents: a whole file, a line, a paragraph, or a field of a JSON line.
// Reads in parts: memory is bounded by the longest document.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn::data {

enum class DocumentUnit : std::uint8_t {
  kFile,       // all of the file
  kLine,       // each line, without its newline
  kParagraph,  // lines up to a blank one, joined by newlines
  kJsonLine,   // the string `field` of a JSON object per line
};

struct DocumentOptions {
  DocumentUnit unit = DocumentUnit::kFile;
  std::string field = "text";
  bool replace_bad_bytes = false;  // true: bytes that are not UTF-8 become U+FFFD and are counted
  std::int64_t document_bytes_max = std::int64_t{1} << 30;
};

struct DocumentCounts {
  std::int64_t documents = 0;
  std::int64_t empty = 0;      // left out
  std::int64_t bad_bytes = 0;  // bytes that were no part of a character, replaced
};

class DocumentReader {
 public:
  static Result<DocumentReader> open(FileSystem& files, const std::string& path, DocumentOptions options);

  // The next document that is not empty; false at the end. kBadData naming file and byte (JSON: line) where the
  // text is not UTF-8, no JSON object with the field, or too long.
  Result<bool> next(std::string& document);

  std::int64_t bytes_read() const { return offset_ - static_cast<std::int64_t>(buffer_.size() - at_); }
  std::int64_t file_bytes() const { return file_->size(); }
  const DocumentCounts& counts() const { return counts_; }

 private:
  DocumentReader() = default;
  Result<bool> next_line(std::string& line);  // false at the end
  Result<bool> next_raw(std::string& document);
  Status read_field(std::string& line) const;
  Status check_utf8(std::string& document);
  Status check_length(std::size_t size) const;
  Status fill();

  std::string path_;
  DocumentOptions options_;
  std::unique_ptr<ReadableFile> file_;
  std::string buffer_;
  std::size_t at_ = 0;       // first byte of buffer_ not handed out
  std::int64_t offset_ = 0;  // of the file, behind buffer_
  std::int64_t line_ = 0;    // lines handed out
  std::int64_t start_ = 0;   // file offset of the document
  bool is_file_done_ = false;
  DocumentCounts counts_;
};

// kJsonLine for names ending in .jsonl or .ndjson, otherwise kFile.
DocumentUnit document_unit_for(std::string_view path);

}  // namespace cairn::data
