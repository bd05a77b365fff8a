// Arrays that take long to make and are the same for every process of a run: made once, kept as a file, mapped
// afterwards. The file's name carries a key of everything the arrays depend on, so a changed input is another file.
// Safe with any number of processes and crashes: one makes, the others wait for it and no longer; a file has its name
// only when it is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "doors/clock.h"
#include "doors/file_system.h"

namespace cairn::data {

// Arrays and what keeps them alive.
struct IndexArrays {
  std::vector<std::span<const std::byte>> arrays;
  std::shared_ptr<const void> storage;
  // The array as elements; they begin at multiples of 64 bytes in files.
  template <class T>
  std::span<const T> as(std::size_t array) const {
    const std::span<const std::byte> bytes = arrays.at(array);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

class IndexCache {
 public:
  // `folder` is made when the first file is written. "": nothing is kept.
  IndexCache(FileSystem& files, Clock& clock, std::string folder);

  using Make = std::function<Result<IndexArrays>()>;
  // The arrays of `folder`/`kind`-`key`.index, made and kept first when they are not there. Their checksums are verified.
  // kBadData naming the file when it is damaged; what `make` returned; kTransient when another process has been making
  // them for a day.  A folder that cannot be written costs time only: notes() says so.
  Result<IndexArrays> load_or_make(const std::string& kind, const Hash128& key, const Make& make);

  const std::vector<std::string>& notes() const { return notes_; }

 private:
  Result<IndexArrays> load(const std::string& path, const Hash128& key) const;
  Status write(const std::string& path, const Hash128& key, const IndexArrays& arrays) const;
  // The lock, or null when somebody else has made the file meanwhile.
  Result<std::unique_ptr<FileLock>> lock_or_file(const std::string& path);

  FileSystem& files_;
  Clock& clock_;
  std::string folder_;
  std::vector<std::string> notes_;
};

}  // namespace cairn::data
