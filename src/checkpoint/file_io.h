// What the files of this module share: whole small files, copies, and a file that is hashed while it is
// written. All through the file-system door; buffers are of fixed size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/status.h"
#include "doors/file_system.h"
#include "doors/path.h"

namespace cairn::checkpoint {

// Bytes moved at once: long enough for a disk, short enough to stay in the cache between hashing and writing.
inline constexpr std::int64_t kIoChunkBytes = std::int64_t{1} << 20;
// Small files (JSON, run.json) beyond this are not ours.
inline constexpr std::int64_t kTextBytesMax = std::int64_t{64} << 20;

// The same status with `path` in front of its message, unless that names the path already.
Status naming(const Status& status, const std::string& path);

// Creates `path` and what is missing above it, and syncs every folder that got a new entry.
Status make_durable_directories(FileSystem& files, const std::string& path);

// Tidying up after a failure that is already being reported: what cannot be removed now is rubbish for later.
void remove_if_possible(FileSystem& files, const std::string& path);

// The whole of a file of at most kTextBytesMax bytes (kBadData when longer, kNoInput when missing).
Result<std::string> read_small_file(FileSystem& files, const std::string& path);

// Passes appends on in chunks and takes them into a hash. Borrows nothing; owns the file.
class HashingFile : public WritableFile {
 public:
  HashingFile(std::unique_ptr<WritableFile> file, Hasher hasher)
      : file_(std::move(file)), hasher_(std::move(hasher)) {}
  Status append(std::span<const std::byte> bytes) override;
  Status sync() override { return file_->sync(); }
  Status close() override { return file_->close(); }
  std::int64_t num_bytes() const { return num_bytes_; }
  Hash128 digest() const { return hasher_.digest(); }

 private:
  std::unique_ptr<WritableFile> file_;
  Hasher hasher_;
  std::int64_t num_bytes_ = 0;
};

struct WrittenFile {
  std::int64_t num_bytes = 0;
  Hash128 hash;
};
// Creates `path`, lets `body(WritableFile&) -> Status` fill it, syncs and closes it. Errors name the path.
template <class Body>
Result<WrittenFile> write_durable_file(FileSystem& files, const std::string& path, Hasher hasher,
                                       Body&& body) {
  auto created = files.create(path);
  if (!created.ok()) {
    return naming(created.status(), path);
  }
  HashingFile file(std::move(created).value(), std::move(hasher));
  Status status = body(static_cast<WritableFile&>(file));
  if (status.ok()) {
    status = file.sync();
  }
  // Closed even after a failure, so that no descriptor is lost; network file systems report late errors here.
  const Status closed = file.close();
  if (status.ok()) {
    status = closed;
  }
  if (!status.ok()) {
    return naming(status, path);
  }
  return WrittenFile{file.num_bytes(), file.digest()};
}

// A body for write_durable_file.
Status append_text(WritableFile& file, std::string_view text);

// Size and hash of an existing file, read in fixed buffers.
Result<WrittenFile> hash_file(FileSystem& files, const std::string& path, Hasher hasher);

}  // namespace cairn::checkpoint
