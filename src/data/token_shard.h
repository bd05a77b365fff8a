// A shard of token ids: PREFIX.bin (the ids) and PREFIX.idx (their lengths), byte-compatible with Megatron's
// indexed datasets. docs/formats/token-shards.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"
#include "formats/token_index.h"

namespace cairn::data {

// uint16 where every id of the vocabulary fits (below 65,500, as Megatron decides), otherwise int32.
TokenType token_type_for_vocabulary(std::int64_t vocab_size);

// Writes a new shard. Both files are written under temporary names; finish() makes them durable and renames
// .bin, then .idx: a shard whose .idx exists is whole. An existing shard is never overwritten; what a killed writer
// left (a .bin beside a temporary .idx included) is removed by the next one.
class TokenShardWriter {
 public:
  // kCannotWrite when PREFIX.bin or PREFIX.idx exists, unless as the rubbish of a killed writer.
  static Result<TokenShardWriter> create(FileSystem& files, std::string prefix, std::int64_t vocab_size);
  ~TokenShardWriter();  // removes the temporary files unless finished
  TokenShardWriter(TokenShardWriter&&) noexcept;
  TokenShardWriter& operator=(TokenShardWriter&&) = delete;

  // One document of one sequence. kBadData for an id outside the vocabulary (or 2^31 tokens and more).
  Status add_document(std::span<const std::int32_t> ids);
  Status finish();  // exactly once, last

  std::int64_t num_documents() const { return static_cast<std::int64_t>(lengths_.size()); }
  std::int64_t num_tokens() const { return num_tokens_; }

 private:
  TokenShardWriter(FileSystem& files, std::string prefix, std::int64_t vocab_size);
  Status flush();

  FileSystem* files_;
  std::string prefix_;
  std::int64_t vocab_size_;
  TokenType type_;
  std::unique_ptr<WritableFile> bin_;
  std::vector<std::byte> buffer_;
  std::vector<std::int32_t> lengths_;
  std::int64_t num_tokens_ = 0;
  bool is_finished_ = false;
};

// Reads a shard: the index is in memory, ids are read where they are asked for. Thread-safe.
class TokenShard {
 public:
  // Checks the index against both files. kBadData for element types that hold no token ids (floats, bytes).
  static Result<TokenShard> open(FileSystem& files, const std::string& prefix);

  const TokenIndex& index() const { return index_; }
  std::int64_t num_tokens() const { return index_.num_tokens; }
  std::int64_t num_sequences() const { return index_.num_sequences(); }
  // 128-bit hash, in hex, of the .idx file's bytes and the .bin file's size and its samples (first, middle and last
  // mebibyte): tells shards apart without reading them whole.
  const std::string& fingerprint() const { return fingerprint_; }
  const std::string& bin_path() const { return bin_path_; }

  // Writes tokens [offset, offset + ids.size()) of `sequence`. Every id must be in [0, vocab_size): kBadData
  // naming file, byte offset and id otherwise. Allocates nothing.
  Status read(std::int64_t sequence, std::int64_t offset, std::int64_t vocab_size,
              std::span<std::int32_t> ids) const;

 private:
  TokenShard() = default;

  std::shared_ptr<const ReadableFile> bin_;
  std::string bin_path_;
  TokenIndex index_;
  std::string fingerprint_;
};

}  // namespace cairn::data
