// PREFIX.origins beside a shard: source, place and named columns (URL, language, licence, ...) of every document.
// docs/formats/document-origins.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "doors/file_system.h"

namespace cairn {

inline constexpr std::int64_t kOriginColumnsMax = 16;

struct OriginNames {
  std::vector<std::string> columns;  // "url", "language", ...
  std::vector<std::string> sources;  // paths

  std::int64_t column_index(std::string_view name) const;  // -1 when there is none
};

// An entry of the directory.
struct OriginsBlockFacts {
  std::int64_t first_document = 0;
  std::int64_t byte_offset = 0;
  std::int64_t num_bytes = 0;
  std::uint64_t checksum = 0;
  std::uint64_t tokens_checksum = 0;  // of the documents' bytes in .bin
};

// The documents of one block.
class OriginsBlock {
 public:
  // Every count and end is checked against the bytes; kBadData names the byte in the block.
  static Result<OriginsBlock> parse(std::vector<std::byte> bytes, std::int64_t num_columns,
                                    std::int64_t num_sources);

  std::int64_t num_documents() const { return num_documents_; }
  // REQUIRES 0 <= document < num_documents(), counted inside the block.
  std::int64_t source(std::int64_t document) const;
  std::int64_t offset(
      std::int64_t document) const;  // byte of the (decompressed) text, or row of a Parquet file
  std::string_view column(std::int64_t column, std::int64_t document) const;  // "" where nothing was said

 private:
  struct Column {
    std::size_t ends = 0;  // where the parts are in bytes_
    std::size_t values = 0;
    std::size_t codes = 0;
    std::uint32_t encoding = 0;
  };
  OriginsBlock() = default;
  Result<Column> parse_column(std::size_t& at) const;

  std::vector<std::byte> bytes_;
  std::int64_t num_documents_ = 0;
  std::size_t sources_ = 0;
  std::vector<Column> columns_;
};

// Immutable after open(); thread-safe.
class DocumentOrigins {
 public:
  // Reads header and directory. kNoInput when there is no such file, kBadData naming it where it is damaged.
  static Result<DocumentOrigins> open(FileSystem& files, const std::string& path);

  const OriginNames& names() const { return names_; }
  std::int64_t num_documents() const { return num_documents_; }
  std::int64_t num_tokens() const { return num_tokens_; }
  std::span<const OriginsBlockFacts> blocks() const { return blocks_; }
  // The block that holds `document`. REQUIRES 0 <= document < num_documents().
  std::int64_t block_of(std::int64_t document) const;
  // Read and checked against its checksum; kBadData naming file and byte.
  Result<OriginsBlock> read_block(std::int64_t block) const;

 private:
  DocumentOrigins() = default;
  Status read_header();
  Status read_directory();

  std::string path_;
  std::shared_ptr<const ReadableFile> file_;
  OriginNames names_;
  std::vector<OriginsBlockFacts> blocks_;
  std::int64_t blocks_begin_ = 0;  // behind the header
  std::int64_t num_documents_ = 0;
  std::int64_t num_tokens_ = 0;
};

// Writes in one pass and bounded memory, so that a killed writer can go on: what is finished stands in two files that only
// ever grow, the origins themselves and their directory, which finish() copies behind the blocks.
class DocumentOriginsWriter {
 public:
  // What the files hold up to the last end_block().
  struct Position {
    std::int64_t num_documents = 0;
    std::int64_t num_tokens = 0;
    std::int64_t num_bytes = 0;   // of the origins
    std::int64_t num_blocks = 0;  // of the directory
  };

  // Both files are appended to; with a `position` other than the start they have to end there.
  // REQUIRES at most kOriginColumnsMax columns.
  DocumentOriginsWriter(OriginNames names, std::unique_ptr<WritableFile> origins,
                        std::unique_ptr<WritableFile> directory, Position position);

  Status begin();  // the header; first, and only in a new file
  // The next document. REQUIRES a source that exists and one value a column. kBadData for columns of 2 GiB in a block.
  Status add(std::int64_t source, std::int64_t offset, std::span<const std::string_view> columns);
  // The documents' bytes of .bin in order, in any cut.
  void add_tokens(std::span<const std::byte> bytes, std::int64_t num_tokens);
  Status end_block();  // nothing to do when no document was added
  Status sync();       // both files
  // Directory and trailer; last. `directory` is the file that the directory was written to. Syncs and closes.
  Status finish(const ReadableFile& directory);

  const Position& position() const { return position_; }
  std::int64_t documents_in_block() const { return static_cast<std::int64_t>(offsets_.size()); }

 private:
  struct Column {
    std::string values;
    std::vector<std::uint32_t> ends;
  };
  Status append(std::string_view bytes);

  OriginNames names_;
  std::unique_ptr<WritableFile> origins_;
  std::unique_ptr<WritableFile> directory_;
  Position position_;  // with the documents and tokens of the open block
  std::vector<std::uint64_t> offsets_;
  std::vector<std::uint32_t> sources_;
  std::vector<Column> columns_;
  Hasher tokens_hash_;
};

}  // namespace cairn
