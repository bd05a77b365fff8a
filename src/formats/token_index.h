// The .idx file beside a .bin file of tokens, as Megatron reads and writes it (little endian):
//   9 bytes "MMIDIDX\0\0"; uint64 version 1; uint8 element type; uint64 N sequences; uint64 M document
//   boundaries; int32 lengths[N]; int64 byte offsets[N] into .bin; int64 document_index[M], from 0 to N.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn {

// The numbers are those of the file.
enum class TokenType : std::uint8_t {
  kUint8 = 1,
  kInt8 = 2,
  kInt16 = 3,
  kInt32 = 4,
  kInt64 = 5,
  kFloat64 = 6,
  kFloat32 = 7,
  kUint16 = 8
};
std::int64_t token_type_size(TokenType type);      // bytes
std::string_view token_type_name(TokenType type);  // "int32", "uint16", ...

struct TokenIndex {
  TokenType type = TokenType::kInt32;
  std::vector<std::int32_t> lengths;  // tokens of each sequence, >= 0
  std::vector<std::int64_t>
      offsets;  // first byte of each sequence in .bin; offsets[i] = sum of earlier bytes
  std::vector<std::int64_t>
      documents;                // M boundaries in sequences: document d is [documents[d], documents[d+1])
  std::int64_t num_tokens = 0;  // sum of lengths

  std::int64_t num_sequences() const { return static_cast<std::int64_t>(lengths.size()); }
  std::int64_t num_documents() const { return static_cast<std::int64_t>(documents.size()) - 1; }
};

// Every count, offset and boundary is checked against the sizes of both files; kBadData naming what is wrong.
Result<TokenIndex> parse_token_index(std::span<const std::byte> bytes, std::int64_t bin_size);
// The same from a file. `bin_path` is opened to learn its size.
Result<TokenIndex> read_token_index(FileSystem& files, const std::string& idx_path,
                                    const std::string& bin_path);
// All that is wrong with it, each with the file's name; at most 100.
std::vector<std::string> list_token_index_faults(FileSystem& files, const std::string& idx_path,
                                                 const std::string& bin_path);

// Appends a whole .idx to `file`. `documents` has M boundaries, first 0, last lengths.size(), never falling;
// kBug otherwise. Neither syncs nor closes.
Status write_token_index(WritableFile& file, TokenType type, std::span<const std::int32_t> lengths,
                         std::span<const std::int64_t> documents);
// The same with one sequence a document and the lengths in a file of int32, in bounded memory.
Status write_token_index(WritableFile& file, TokenType type, const ReadableFile& lengths);

}  // namespace cairn
