#include "doors/file_system.h"

#include <cstddef>
#include <utility>

namespace cairn {
namespace {

std::string parent_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status write_new_file(FileSystem& files, const std::string& path, std::string_view text) {
  TRY_ASSIGN(const std::unique_ptr<WritableFile> file, files.create(path));
  TRY(file->append(std::as_bytes(std::span(text))));
  TRY(file->sync());
  return file->close();
}

class CopiedFile : public MappedFile {
 public:
  explicit CopiedFile(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::byte> bytes() const override { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

Result<std::unique_ptr<MappedFile>> FileSystem::map(const std::string& path) {
  TRY_ASSIGN(const std::unique_ptr<ReadableFile> file, open(path));
  std::vector<std::byte> bytes(static_cast<std::size_t>(file->size()));
  TRY(file->read(0, bytes));
  return std::unique_ptr<MappedFile>(std::make_unique<CopiedFile>(std::move(bytes)));
}

Result<std::string> FileSystem::read_text(const std::string& path) {
  TRY_ASSIGN(const std::unique_ptr<ReadableFile> file, open(path));
  std::string text(static_cast<std::size_t>(file->size()), '\0');
  TRY(file->read(0, std::as_writable_bytes(std::span(text))));
  return text;
}

Status FileSystem::replace_text(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  if (exists(fresh)) {  // left by a process that died in between
    TRY(remove_file(fresh));
  }
  const Status written = write_new_file(*this, fresh, text);
  if (!written.ok()) {
    if (exists(fresh)) {
      static_cast<void>(remove_file(fresh).ok());  // the first failure is the one to report
    }
    return written;
  }
  TRY(rename(fresh, path));
  return sync_directory(parent_directory(path));
}

}  // namespace cairn
