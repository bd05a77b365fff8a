// The disk of this machine, by POSIX calls.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "doors/file_system.h"

namespace cairn {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

enum class Intent { kRead, kWrite };

StatusCode code_of(int error, Intent intent) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENAMETOOLONG:
      return intent == Intent::kRead ? StatusCode::kNoInput : StatusCode::kCannotWrite;
    case ENOSPC:
    case EDQUOT:
    case EROFS:
    case EEXIST:
    case EFBIG:
    case ENOTEMPTY:
      return StatusCode::kCannotWrite;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case ESTALE:
    case ETIMEDOUT:
      return StatusCode::kTransient;
    default:
      return StatusCode::kIo;
  }
}

Status failure(std::string_view action, const std::string& path, int error, Intent intent) {
  return {code_of(error, intent),
          fmt::format("{} '{}': {}", action, path, std::generic_category().message(error))};
}

// A missing name is missing input even when the operation would change it (rename, remove).
Status change_failure(std::string_view action, const std::string& path, int error) {
  return failure(action, path, error, error == ENOENT ? Intent::kRead : Intent::kWrite);
}

// Closes on scope exit; close errors of descriptors that were only read do not matter.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }
  bool is_open() const { return value_ >= 0; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

int open_retrying(int directory, const char* path, int flags, mode_t mode) {
  while (true) {
    const int descriptor = ::openat(directory, path, flags | O_CLOEXEC, mode);
    if (descriptor >= 0 || errno != EINTR) {
      return descriptor;
    }
  }
}

int open_retrying(const std::string& path, int flags) {
  return open_retrying(AT_FDCWD, path.c_str(), flags, 0666);
}

class RealWritableFile : public WritableFile {
 public:
  RealWritableFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  Status append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_.value(), bytes.data(), bytes.size());
      if (written < 0) {
        if (errno == EINTR) {
          continue;
        }
        return failure("cannot write to", path_, errno, Intent::kWrite);
      }
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return ok_status();
  }

  Status sync() override {
    // Not repeated after EINTR: after any failure the state of the file's pages is unknown.
    if (::fsync(descriptor_.value()) != 0) {
      return failure("cannot sync", path_, errno, Intent::kWrite);
    }
    return ok_status();
  }

  Status close() override {
    CHECK(descriptor_.is_open(), "a file is closed once");
    // Linux frees the descriptor even when close reports EINTR.
    if (::close(descriptor_.release()) != 0 && errno != EINTR) {
      return failure("cannot close", path_, errno, Intent::kWrite);
    }
    return ok_status();
  }

 private:
  std::string path_;
  Descriptor descriptor_;
};

class RealReadableFile : public ReadableFile {
 public:
  RealReadableFile(std::string path, int descriptor, const struct stat& facts)
      : path_(std::move(path)),
        descriptor_(descriptor),
        size_(facts.st_size),
        modified_ns_(facts.st_mtim.tv_sec * kNsPerSecond + facts.st_mtim.tv_nsec) {}

  std::int64_t size() const override { return size_; }
  std::int64_t modified_ns() const override { return modified_ns_; }

  Status read(std::int64_t offset, std::span<std::byte> out) const override {
    CHECK(offset >= 0, "a file offset is never negative");
    while (!out.empty()) {
      const ssize_t count = ::pread(descriptor_.value(), out.data(), out.size(), offset);
      if (count < 0) {
        if (errno == EINTR) {
          continue;
        }
        return failure("cannot read", path_, errno, Intent::kRead);
      }
      if (count == 0) {
        return bad_data(
            fmt::format("'{}' ends at byte {}, {} more were expected", path_, offset, out.size()));
      }
      offset += count;
      out = out.subspan(static_cast<std::size_t>(count));
    }
    return ok_status();
  }

 private:
  std::string path_;
  Descriptor descriptor_;
  std::int64_t size_;
  std::int64_t modified_ns_;
};

class RealFileLock : public FileLock {
 public:
  explicit RealFileLock(int descriptor) : descriptor_(descriptor) {}
  ~RealFileLock() override {
    // The text would name a process that no longer holds it; the lock itself goes with the descriptor.
    static_cast<void>(::ftruncate(descriptor_.value(), 0) == 0);
  }

 private:
  Descriptor descriptor_;
};

std::string text_of(int descriptor) {
  std::array<char, 1024> text{};
  const ssize_t count = ::pread(descriptor, text.data(), text.size(), 0);
  return count > 0 ? std::string(text.data(), static_cast<std::size_t>(count)) : std::string("(unknown)");
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Names in an open directory without "." and "..". Takes the descriptor.
int read_names(int descriptor, std::vector<std::string>& names) {
  const std::unique_ptr<DIR, DirectoryCloser> directory(::fdopendir(descriptor));
  if (!directory) {
    const int error = errno;
    ::close(descriptor);
    return error;
  }
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) {
      return errno;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
}

// Removes what is inside the directory `name` of `parent`, then the directory. Links are removed, not
// followed.
int remove_recursively(int parent, const std::string& name, int depth) {
  constexpr int kDepthMax = 128;
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) {
    return 0;
  }
  if (errno != EISDIR && errno != EPERM) {
    return errno;
  }
  if (depth > kDepthMax) {
    return ELOOP;
  }
  const Descriptor directory(open_retrying(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0));
  if (!directory.is_open()) {
    return errno;
  }
  std::vector<std::string> names;
  const int copy = ::fcntl(directory.value(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    return errno;
  }
  if (const int error = read_names(copy, names); error != 0) {
    return error;
  }
  for (const std::string& child : names) {
    if (const int error = remove_recursively(directory.value(), child, depth + 1); error != 0) {
      return error;
    }
  }
  return ::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
}

class RealFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    return open_for_writing(path, O_WRONLY | O_CREAT | O_EXCL, "cannot create");
  }

  Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) override {
    return open_for_writing(path, O_WRONLY | O_CREAT | O_APPEND, "cannot append to");
  }

  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    struct stat facts = {};
    TRY_ASSIGN(const int descriptor, open_for_reading(path, facts));
    return std::unique_ptr<ReadableFile>(std::make_unique<RealReadableFile>(path, descriptor, facts));
  }

  Result<std::unique_ptr<MappedFile>> map(const std::string& path) override {
    struct stat facts = {};
    TRY_ASSIGN(const int descriptor, open_for_reading(path, facts));
    const Descriptor closer(descriptor);
    return map_descriptor(descriptor, static_cast<std::size_t>(facts.st_size), path);
  }

  bool exists(const std::string& path) override {
    struct stat facts = {};
    return ::stat(path.c_str(), &facts) == 0;
  }

  bool is_directory(const std::string& path) override {
    struct stat facts = {};
    return ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    const int descriptor = open_retrying(directory, O_RDONLY | O_DIRECTORY);
    if (descriptor < 0) {
      return failure("cannot list", directory, errno, Intent::kRead);
    }
    std::vector<std::string> names;
    if (const int error = read_names(descriptor, names); error != 0) {
      return failure("cannot list", directory, error, Intent::kRead);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  Status make_directories(const std::string& path) override {
    std::size_t end = 0;
    while (end < path.size()) {
      end = std::min(path.find('/', end + 1), path.size());
      const std::string prefix = path.substr(0, end);
      if (::mkdir(prefix.c_str(), 0777) != 0) {
        const int error = errno;
        // Parents may exist and still refuse mkdir with another error (a read-only mount point above).
        if (!is_directory(prefix)) {
          return failure("cannot make directory", prefix, error, Intent::kWrite);
        }
      }
    }
    return ok_status();
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      const int error = errno;
      return change_failure("cannot rename", fmt::format("{}' to '{}", from, to), error);
    }
    return ok_status();
  }

  Status cut_file(const std::string& path, std::int64_t size) override {
    struct stat facts = {};
    if (::stat(path.c_str(), &facts) != 0) {
      return change_failure("cannot cut", path, errno);
    }
    if (facts.st_size < size) {
      return bad_data(fmt::format("'{}' has {} bytes, at least {} were expected", path, facts.st_size, size));
    }
    if (::truncate(path.c_str(), size) != 0) {
      return change_failure("cannot cut", path, errno);
    }
    return ok_status();
  }

  Status remove_file(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) {
      return change_failure("cannot remove", path, errno);
    }
    return ok_status();
  }

  Status remove_tree(const std::string& path) override {
    const int error = remove_recursively(AT_FDCWD, path, 0);
    return error == 0 ? ok_status() : failure("cannot remove", path, error, Intent::kWrite);
  }

  Status sync_directory(const std::string& path) override {
    const Descriptor descriptor(open_retrying(path, O_RDONLY | O_DIRECTORY));
    if (!descriptor.is_open()) {
      return change_failure("cannot open directory", path, errno);
    }
    // EINVAL: a file system without directory sync (it has nothing to lose there).
    if (::fsync(descriptor.value()) != 0 && errno != EINVAL) {
      return failure("cannot sync directory", path, errno, Intent::kWrite);
    }
    return ok_status();
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& holder) override {
    Descriptor descriptor(open_retrying(path, O_RDWR | O_CREAT));
    if (!descriptor.is_open()) {
      return failure("cannot open lock", path, errno, Intent::kWrite);
    }
    while (::flock(descriptor.value(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) {
        continue;
      }
      if (errno == EWOULDBLOCK) {
        return Status(StatusCode::kTransient,
                      fmt::format("'{}' is held by {}", path, text_of(descriptor.value())));
      }
      return failure("cannot lock", path, errno, Intent::kWrite);
    }
    if (::ftruncate(descriptor.value(), 0) != 0 || ::pwrite(descriptor.value(), holder.data(), holder.size(),
                                                            0) != static_cast<ssize_t>(holder.size())) {
      return failure("cannot write lock", path, errno, Intent::kWrite);
    }
    return std::unique_ptr<FileLock>(std::make_unique<RealFileLock>(descriptor.release()));
  }

  Result<std::int64_t> free_bytes(const std::string& path) override {
    struct statvfs facts = {};
    if (::statvfs(path.c_str(), &facts) != 0) {
      return failure("cannot ask for free space of", path, errno, Intent::kRead);
    }
    return static_cast<std::int64_t>(facts.f_bavail) * static_cast<std::int64_t>(facts.f_frsize);
  }

 private:
  // A descriptor of a regular file, and what is known of it.
  static Result<int> open_for_reading(const std::string& path, struct stat& facts) {
    // O_NONBLOCK: a named pipe is refused below instead of waited for.
    Descriptor descriptor(open_retrying(path, O_RDONLY | O_NONBLOCK));
    if (!descriptor.is_open() || ::fstat(descriptor.value(), &facts) != 0) {
      return failure("cannot open", path, errno, Intent::kRead);
    }
    if (!S_ISREG(facts.st_mode)) {
      return no_input(fmt::format("cannot open '{}': it is not a regular file", path));
    }
    return descriptor.release();
  }

  static Result<std::unique_ptr<WritableFile>> open_for_writing(const std::string& path, int flags,
                                                                std::string_view action) {
    const int descriptor = open_retrying(path, flags);
    if (descriptor < 0) {
      return failure(action, path, errno, Intent::kWrite);
    }
    return std::unique_ptr<WritableFile>(std::make_unique<RealWritableFile>(path, descriptor));
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_real_file_system() {
  return std::make_unique<RealFileSystem>();
}

}  // namespace cairn
