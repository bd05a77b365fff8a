#include "data/token_shard.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"

namespace cairn::data {
namespace {

constexpr std::int64_t kFingerprintBytes = std::int64_t{1} << 20;
constexpr std::size_t kReadBytes = 4096;  // on the stack, so that reading allocates nothing

std::string bin_name(const std::string& prefix) {
  return prefix + ".bin";
}
std::string idx_name(const std::string& prefix) {
  return prefix + ".idx";
}

// Reads ids stored as T through a small buffer.
template <class T>
Status read_as(const ReadableFile& file, const std::string& path, std::int64_t byte_offset,
               std::int64_t vocab_size, std::span<std::int32_t> ids) {
  std::array<T, kReadBytes / sizeof(T)> buffer;
  while (!ids.empty()) {
    const std::size_t count = std::min(ids.size(), buffer.size());
    const auto values = std::span(buffer).first(count);
    const Status status = file.read(byte_offset, std::as_writable_bytes(values));
    if (!status.ok()) {
      return status.with_context(fmt::format("{} at byte {}", path, byte_offset));
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto id = static_cast<std::int64_t>(values[i]);
      if (id < 0 || id >= vocab_size) {
        return bad_data(fmt::format("{}: token id {} at byte {} is outside the vocabulary of {}", path, id,
                                    byte_offset + static_cast<std::int64_t>(i * sizeof(T)), vocab_size));
      }
      ids[i] = static_cast<std::int32_t>(id);
    }
    byte_offset += static_cast<std::int64_t>(count * sizeof(T));
    ids = ids.subspan(count);
  }
  return ok_status();
}

Status hash_range(const ReadableFile& file, std::int64_t offset, std::int64_t num_bytes, Hasher& hasher) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min(num_bytes, kFingerprintBytes)));
  while (num_bytes > 0) {
    const std::int64_t count = std::min(num_bytes, kFingerprintBytes);
    const auto part = std::span(bytes).first(static_cast<std::size_t>(count));
    TRY(file.read(offset, part));
    hasher.update(part);
    offset += count;
    num_bytes -= count;
  }
  return ok_status();
}

Result<std::string> fingerprint_of(FileSystem& files, const std::string& idx_path, const ReadableFile& bin) {
  TRY_ASSIGN(const std::unique_ptr<ReadableFile> idx, files.open(idx_path));
  Hasher hasher;
  TRY(hash_range(*idx, 0, idx->size(), hasher));
  const std::int64_t size = bin.size();
  hasher.update_uint64(static_cast<std::uint64_t>(size));
  const std::int64_t count = std::min(size, kFingerprintBytes);
  TRY(hash_range(bin, 0, count, hasher));
  TRY(hash_range(bin, (size - count) / 2, count, hasher));
  TRY(hash_range(bin, size - count, count, hasher));
  return hasher.digest().to_hex();
}

}  // namespace

Result<TokenShard> TokenShard::open(FileSystem& files, const std::string& prefix) {
  TokenShard shard;
  shard.bin_path_ = bin_name(prefix);
  TRY_ASSIGN(shard.index_, read_token_index(files, idx_name(prefix), shard.bin_path_));
  const TokenType type = shard.index_.type;
  if (type != TokenType::kUint16 && type != TokenType::kInt32) {
    return bad_data(
        fmt::format("{}: elements of type {} are no token ids", idx_name(prefix), token_type_name(type)));
  }
  TRY_ASSIGN(shard.bin_, files.open(shard.bin_path_));
  TRY_ASSIGN(shard.fingerprint_, fingerprint_of(files, idx_name(prefix), *shard.bin_));
  return shard;
}

Status TokenShard::check_unchanged(FileSystem& files) const {
  TRY_ASSIGN(const std::unique_ptr<ReadableFile> now, files.open(bin_path_));
  if (now->size() != bin_->size() || now->modified_ns() != bin_->modified_ns()) {
    return bad_data(fmt::format("'{}' was changed while it was in use ({} bytes, {} when it was opened)",
                                bin_path_, now->size(), bin_->size()));
  }
  return ok_status();
}

Status TokenShard::read(std::int64_t sequence, std::int64_t offset, std::int64_t vocab_size,
                        std::span<std::int32_t> ids) const {
  CHECK(sequence >= 0 && sequence < num_sequences(), "sequence out of range");
  const std::int64_t length = index_.lengths[static_cast<std::size_t>(sequence)];
  CHECK(offset >= 0 && offset + static_cast<std::int64_t>(ids.size()) <= length, "tokens out of range");
  const std::int64_t begin =
      index_.offsets[static_cast<std::size_t>(sequence)] + offset * token_type_size(index_.type);
  if (index_.type == TokenType::kUint16) {
    return read_as<std::uint16_t>(*bin_, bin_path_, begin, vocab_size, ids);
  }
  return read_as<std::int32_t>(*bin_, bin_path_, begin, vocab_size, ids);
}

}  // namespace cairn::data
