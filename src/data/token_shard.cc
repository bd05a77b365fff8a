#include "data/token_shard.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "doors/path.h"

namespace cairn::data {
namespace {

// Megatron keeps ids in uint16 when the vocabulary is below this.
constexpr std::int64_t kUint16VocabularyEnd = 65'500;
constexpr std::size_t kBufferBytes = std::size_t{4} << 20;
constexpr std::int64_t kFingerprintBytes = std::int64_t{1} << 20;
constexpr std::size_t kReadBytes = 4096;  // on the stack, so that reading allocates nothing

std::string bin_name(const std::string& prefix) {
  return prefix + ".bin";
}
std::string idx_name(const std::string& prefix) {
  return prefix + ".idx";
}
std::string temporary(const std::string& path) {
  return path + ".tmp";
}

Status refuse_existing(FileSystem& files, const std::string& prefix) {
  for (const std::string& path : {bin_name(prefix), idx_name(prefix)}) {
    if (files.exists(path)) {
      return cannot_write(fmt::format("{} exists; a shard is never overwritten", path));
    }
  }
  return ok_status();
}

// What a killed writer left behind is no shard: temporary files, and a .bin that got its name when the .idx, written
// last, did not. A .bin without either index is somebody else's.
Status remove_rubbish(FileSystem& files, const std::string& prefix) {
  const bool is_unfinished = files.exists(temporary(idx_name(prefix))) && !files.exists(idx_name(prefix));
  if (is_unfinished && files.exists(bin_name(prefix))) {
    TRY(files.remove_file(bin_name(prefix)));
    TRY(files.sync_directory(parent_path(prefix)));  // before the temporary index, which is how it was known
  }
  for (const std::string& path : {temporary(bin_name(prefix)), temporary(idx_name(prefix))}) {
    if (files.exists(path)) {
      TRY(files.remove_file(path));
    }
  }
  return ok_status();
}

// Makes the folders that are missing and their entries durable.
Status make_durable_directories(FileSystem& files, const std::string& path) {
  std::vector<std::string> parents;  // of the folders that will be new
  for (std::string at = path; at != "." && at != "/" && !files.exists(at); at = parent_path(at)) {
    parents.push_back(parent_path(at));
  }
  TRY(files.make_directories(path));
  for (const std::string& parent : parents) {
    TRY(files.sync_directory(parent));
  }
  return ok_status();
}

template <class T>
void append_as(std::span<const std::int32_t> ids, std::vector<std::byte>& bytes) {
  for (const std::int32_t id : ids) {
    const T value = static_cast<T>(id);
    const auto raw = std::as_bytes(std::span(&value, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  }
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

TokenType token_type_for_vocabulary(std::int64_t vocab_size) {
  return vocab_size < kUint16VocabularyEnd ? TokenType::kUint16 : TokenType::kInt32;
}

TokenShardWriter::TokenShardWriter(FileSystem& files, std::string prefix, std::int64_t vocab_size)
    : files_(&files),
      prefix_(std::move(prefix)),
      vocab_size_(vocab_size),
      type_(token_type_for_vocabulary(vocab_size)) {}

TokenShardWriter::TokenShardWriter(TokenShardWriter&& other) noexcept
    : files_(other.files_),
      prefix_(std::move(other.prefix_)),
      vocab_size_(other.vocab_size_),
      type_(other.type_),
      bin_(std::move(other.bin_)),
      buffer_(std::move(other.buffer_)),
      lengths_(std::move(other.lengths_)),
      num_tokens_(other.num_tokens_),
      is_finished_(std::exchange(other.is_finished_, true)) {}

TokenShardWriter::~TokenShardWriter() {
  if (!is_finished_) {
    bin_.reset();
    const Status ignored = remove_rubbish(*files_, prefix_);  // cleaning up after an error that was told
    static_cast<void>(ignored);
  }
}

Result<TokenShardWriter> TokenShardWriter::create(FileSystem& files, std::string prefix,
                                                  std::int64_t vocab_size) {
  TRY(remove_rubbish(files, prefix));
  TRY(refuse_existing(files, prefix));
  TRY(make_durable_directories(files, parent_path(prefix)));
  TRY_ASSIGN(std::unique_ptr<WritableFile> bin, files.create(temporary(bin_name(prefix))));
  TokenShardWriter writer(files, std::move(prefix), vocab_size);
  writer.bin_ = std::move(bin);
  writer.buffer_.reserve(kBufferBytes);
  return writer;
}

Status TokenShardWriter::add_document(std::span<const std::int32_t> ids) {
  CHECK(!is_finished_, "the shard is finished");
  if (ids.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return bad_data(fmt::format("a document of {} tokens does not fit the index", ids.size()));
  }
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= vocab_size_) {
      return bad_data(fmt::format("token id {} is outside the vocabulary of {}", id, vocab_size_));
    }
  }
  lengths_.push_back(static_cast<std::int32_t>(ids.size()));
  while (!ids.empty()) {
    const auto part = ids.first(std::min(ids.size(), kBufferBytes / 8));
    if (type_ == TokenType::kUint16) {
      append_as<std::uint16_t>(part, buffer_);
    } else {
      append_as<std::int32_t>(part, buffer_);
    }
    num_tokens_ += static_cast<std::int64_t>(part.size());
    ids = ids.subspan(part.size());
    if (buffer_.size() >= kBufferBytes / 2) {
      TRY(flush());
    }
  }
  return ok_status();
}

Status TokenShardWriter::flush() {
  TRY(bin_->append(buffer_));
  buffer_.clear();
  return ok_status();
}

Status TokenShardWriter::finish() {
  CHECK(!is_finished_, "the shard is finished");
  TRY(refuse_existing(*files_, prefix_));
  TRY(flush());
  TRY(bin_->sync());
  TRY(bin_->close());
  std::vector<std::int64_t> documents(lengths_.size() + 1);
  for (std::size_t i = 0; i < documents.size(); ++i) {
    documents[i] = static_cast<std::int64_t>(i);
  }
  TRY_ASSIGN(const std::unique_ptr<WritableFile> idx, files_->create(temporary(idx_name(prefix_))));
  TRY(write_token_index(*idx, type_, lengths_, documents));
  TRY(idx->sync());
  TRY(idx->close());
  // Durable first: a .bin beside a temporary index is known to be unfinished.
  TRY(files_->sync_directory(parent_path(prefix_)));
  TRY(files_->rename(temporary(bin_name(prefix_)), bin_name(prefix_)));
  TRY(files_->sync_directory(parent_path(prefix_)));
  TRY(files_->rename(temporary(idx_name(prefix_)), idx_name(prefix_)));
  TRY(files_->sync_directory(parent_path(prefix_)));
  is_finished_ = true;
  return ok_status();
}

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
