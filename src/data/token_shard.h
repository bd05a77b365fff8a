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

  // kBadData or kNoInput naming the file when PREFIX.bin is not what it was when the shard was opened, by its size and
  // time of change; the opened one can still be read.
  Status check_unchanged(FileSystem& files) const;

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
