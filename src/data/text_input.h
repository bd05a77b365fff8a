// Which files a command reads and what a document is in each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn::data {

enum class DocumentUnit : std::uint8_t {
  kFile,        // all of the file
  kLine,        // each line, without its newline
  kParagraph,   // lines up to a blank one, joined by newlines
  kJsonLine,    // a string field of a JSON object per line
  kParquetRow,  // a string column of a row
};
std::string_view document_unit_name(DocumentUnit unit);  // file, line, paragraph, jsonl, parquet
std::optional<DocumentUnit> document_unit_named(std::string_view name);

// By the name without .gz or .zst: .jsonl, .ndjson and .json are JSON lines, .parquet is Parquet, the rest is text.
DocumentUnit document_unit_for(std::string_view path);

struct TextInput {
  std::string path;
  DocumentUnit unit = DocumentUnit::kFile;
  std::int64_t bytes = 0;        // of the file
  std::int64_t modified_ns = 0;  // as ReadableFile says it

  friend bool operator==(const TextInput&, const TextInput&) = default;
};

struct TextInputList {
  std::vector<TextInput> inputs;
  std::int64_t num_ignored = 0;  // files of folders whose names say nothing of text
};

// Files as they are, in the order given; folders by all files below them in the order of their paths; names with *, ?
// or [...] that are no file by what they match. In a folder hidden files are left out, and without a `unit` those whose names
// do not end in .txt, .md, .jsonl, .ndjson, .json or .parquet (with .gz or .zst behind). `unit`: for every file, but Parquet.
// All faults at once: what is missing or matches nothing (kNoInput), what is named twice (kUsage).
Result<TextInputList> list_text_inputs(FileSystem& files, std::span<const std::string> paths,
                                       std::optional<DocumentUnit> unit);

// Where `input` is no longer what was listed: kBadData naming what changed, kNoInput when it is gone.
Status check_unchanged(FileSystem& files, const TextInput& input);

}  // namespace cairn::data
