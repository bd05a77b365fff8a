// Writes a new shard: PREFIX.bin, PREFIX.idx and, when asked for, PREFIX.origins (docs/formats/token-shards.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"
#include "formats/document_origins.h"
#include "formats/token_index.h"

namespace cairn::data {

// uint16 where every id of the vocabulary fits (below 65,500, as Megatron decides), otherwise int32.
TokenType token_type_for_vocabulary(std::int64_t vocab_size);

// Appends ids as a .bin file has them. kBadData for an id outside [0, vocab_size), with `bytes` as before.
Status append_token_bytes(std::span<const std::int32_t> ids, std::int64_t vocab_size,
                          std::vector<std::byte>& bytes);

// The folder of a shard that is being written, PREFIX.partial, and the file in it that makes the work resumable.
std::string partial_folder(const std::string& prefix);
std::string progress_file(const std::string& prefix);

// All files grow inside PREFIX.partial; finish() makes them durable and renames .origins and .bin, then .idx: a shard whose .idx
// exists is whole. An existing shard is never overwritten. One writer at a time (a lock that dies with its holder).
//
// A writer with origins can be resumable: after commit() another process goes on from there with the same bytes in the
// end. What any other killed writer left is removed by the next one.
class TokenShardWriter {
 public:
  // Of committed work, for resume().
  using Position = DocumentOriginsWriter::Position;

  // kCannotWrite when PREFIX has files or resumable work already, unless as the rubbish of a killed writer; kTransient when
  // another process is writing. Without `origins` only .bin and .idx are written. The files go when the writer does unless
  // keep() was called or it is finished.
  static Result<TokenShardWriter> create(FileSystem& files, const std::string& prefix,
                                         std::int64_t vocab_size,
                                         std::optional<OriginNames> origins = std::nullopt);
  // Goes on behind what was committed; what was written later is cut off. kBadData naming the file that has less.
  static Result<TokenShardWriter> resume(FileSystem& files, const std::string& prefix,
                                         std::int64_t vocab_size, OriginNames origins,
                                         const Position& committed);
  ~TokenShardWriter();
  TokenShardWriter(TokenShardWriter&&) noexcept;
  TokenShardWriter& operator=(TokenShardWriter&&) = delete;

  // One document of one sequence. kBadData for an id outside the vocabulary (or 2^31 tokens and more).
  Status add_document(std::span<const std::int32_t> ids);
  // Many, by their ids as append_token_bytes() makes them and their lengths in tokens.
  Status add_documents(std::span<const std::byte> bytes, std::span<const std::int32_t> lengths);
  // Where the next document without an origin came from. REQUIRES a writer with origins; one for each document.
  Status add_origin(std::int64_t source, std::int64_t offset, std::span<const std::string_view> columns);
  Status end_block();  // of the origins
  std::int64_t documents_in_block() const { return origins_ ? origins_->documents_in_block() : 0; }
  // Makes what was added durable. REQUIRES a writer with origins, all of them added and their block ended.
  Result<Position> commit();
  void keep() { is_kept_ = true; }
  Status finish();  // exactly once, last

  std::int64_t num_documents() const { return num_documents_; }
  std::int64_t num_tokens() const { return num_tokens_; }

 private:
  TokenShardWriter(FileSystem& files, std::string prefix, std::int64_t vocab_size);
  static Result<TokenShardWriter> open(FileSystem& files, const std::string& prefix, std::int64_t vocab_size);
  Status remove_rubbish();
  Status open_files(std::optional<OriginNames> origins, const Position& position);
  Status flush();
  Status write_index();
  Status publish();
  std::string part(std::string_view name) const;

  FileSystem* files_;
  std::string prefix_;
  std::int64_t vocab_size_;
  TokenType type_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<WritableFile> bin_;
  std::unique_ptr<WritableFile> lengths_;
  std::optional<DocumentOriginsWriter> origins_;
  std::vector<std::byte> buffer_;  // of .bin
  std::vector<std::int32_t> length_buffer_;
  std::int64_t num_documents_ = 0;
  std::int64_t num_tokens_ = 0;
  bool is_kept_ = false;
  bool is_finished_ = false;
};

}  // namespace cairn::data
