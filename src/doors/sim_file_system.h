// A disk in memory that keeps exactly what POSIX promises and nothing more. After crash():
//   - bytes of a file up to its last sync() are there; bytes appended after it are lost, or a prefix of them
//     is kept, possibly with a damaged tail (drawn from the seed);
//   - a directory entry (create, rename, unlink, mkdir) is there if its directory was synced afterwards; of
//     the changes not yet synced any may have survived, drawn from the seed, but for one name in order of
//     time;
//   - locks are gone, open files are dead (every later call on them fails).
// Renaming is atomic: after a crash the target is the old file or the new one, never a mixture or neither.
// Operations are counted, so that a test enumerates every crash point: run once to count, then once per k
// with stop_at(k), crash(), and look at what is left. Deterministic from one seed. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn {

class SimFileSystem : public FileSystem {
 public:
  explicit SimFileSystem(std::uint64_t seed);
  ~SimFileSystem() override;

  // Operations so far: create, append_to, open, append, sync, close, read, list, make_directories (one per
  // directory made), rename, cut_file, remove_file, remove_tree (one per entry removed), sync_directory, lock.
  std::int64_t num_operations() const;
  // Operation number k (counted from 0 since the start) and all after it fail with kIo and change nothing,
  // except that an append at k leaves part of its bytes. Until crash().
  void stop_at(std::int64_t operation);
  // Operation number k alone fails with `status`; an append leaves a part of its bytes.
  void fail_at(std::int64_t operation, Status status);
  // Appends beyond this many more bytes fail with kCannotWrite, as a full disk does. Removing files gives
  // back.
  void set_free_bytes(std::int64_t num_bytes);
  void clear_faults();

  // The power goes; afterwards the disk is as described above and works again.
  void crash();
  // The process dies but the machine stays up (SIGKILL): open files are dead, locks are free, all bytes are
  // there.
  void kill_process();
  bool is_stopped() const;  // an operation has run into stop_at

  // Damage for tests of readers: REQUIRES that the file exists and is longer than offset.
  void flip_bit(const std::string& path, std::int64_t offset, int bit);
  void truncate(const std::string& path, std::int64_t size);
  // Every file with its path, sorted; what a reader would see now.
  std::vector<std::string> all_files() const;

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) override;
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override;
  bool exists(const std::string& path) override;
  bool is_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status make_directories(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status cut_file(const std::string& path, std::int64_t size) override;
  Status remove_file(const std::string& path) override;
  Status remove_tree(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& holder) override;
  Result<std::int64_t> free_bytes(const std::string& path) override;

  struct Disk;  // shared with open files

 private:
  std::shared_ptr<Disk> disk_;
};

}  // namespace cairn
