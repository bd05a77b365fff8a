// The door to files. Everything that must survive crashes (checkpoints, ledgers, triggers) goes through it,
// so that a test can put a simulated disk behind it that loses unsynced bytes, fills up or fails.
// Thread-safe.
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
#include "doors/mapped_file.h"

namespace cairn {

// A file being written. Bytes are durable only after sync() returned ok.
class WritableFile {
 public:
  virtual ~WritableFile() = default;  // closes without reporting; call close()
  virtual Status append(std::span<const std::byte> bytes) = 0;
  virtual Status sync() = 0;   // fsync; after a failure the file must be abandoned, never synced again
  virtual Status close() = 0;  // exactly once
};

// A file being read at any offset.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  virtual std::int64_t size() const = 0;  // when it was opened
  virtual std::int64_t modified_ns()
      const = 0;  // when it was last changed, as of opening; only to be compared
  // Reads exactly out.size() bytes at `offset`; kBadData when the file ends before.
  virtual Status read(std::int64_t offset, std::span<std::byte> out) const = 0;
};

// An advisory lock that dies with its holder.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Creates `path`, which must not exist (kCannotWrite if it does).
  virtual Result<std::unique_ptr<WritableFile>> create(const std::string& path) = 0;
  // Opens for appending, creating it when missing.
  virtual Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) = 0;
  virtual Result<std::unique_ptr<ReadableFile>> open(const std::string& path) = 0;  // kNoInput when missing
  // The file as memory (mapped_file.h); kNoInput when missing. A copy of its bytes where there is no real disk.
  virtual Result<std::unique_ptr<MappedFile>> map(const std::string& path);
  virtual bool exists(const std::string& path) = 0;
  virtual bool is_directory(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;  // names, sorted
  virtual Status make_directories(const std::string& path) = 0;                     // ok when it exists
  virtual Status rename(const std::string& from, const std::string& to) = 0;        // atomic; replaces a file
  // Takes the end of a file away. kBadData when it has fewer than `size` bytes.
  virtual Status cut_file(const std::string& path, std::int64_t size) = 0;
  virtual Status remove_file(const std::string& path) = 0;
  virtual Status remove_tree(const std::string& path) = 0;     // ok when missing
  virtual Status sync_directory(const std::string& path) = 0;  // makes creations and renames in it durable
  // Takes the lock file or says who holds it (kTransient with the holder's text). Writes `holder` into it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& holder) = 0;
  virtual Result<std::int64_t> free_bytes(const std::string& path) = 0;

  // Conveniences over the above.
  Result<std::string> read_text(const std::string& path);
  // Writes a new file beside `path`, syncs it, renames it over `path`, syncs the directory.
  Status replace_text(const std::string& path, std::string_view text);
};

// The disk of this machine.
std::unique_ptr<FileSystem> make_real_file_system();

}  // namespace cairn
