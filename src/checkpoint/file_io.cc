#include "checkpoint/file_io.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace cairn::checkpoint {

Status naming(const Status& status, const std::string& path) {
  const bool is_named = status.message().find(path) != std::string::npos;
  return status.ok() || is_named ? status : status.with_context(path);
}

Status make_durable_directories(FileSystem& files, const std::string& path) {
  std::vector<std::string> missing;  // deepest first
  std::string folder = path;
  while (!files.is_directory(folder)) {
    missing.push_back(folder);
    const std::string above = parent_path(folder);
    if (above == folder) {
      break;
    }
    folder = above;
  }
  if (missing.empty()) {
    return ok_status();
  }
  TRY(naming(files.make_directories(path), path));
  for (const std::string& made : missing) {
    TRY(naming(files.sync_directory(parent_path(made)), parent_path(made)));
  }
  return ok_status();
}

void remove_if_possible(FileSystem& files, const std::string& path) {
  const Status status = files.remove_tree(path);
  static_cast<void>(status);
}

Result<std::string> read_small_file(FileSystem& files, const std::string& path) {
  auto opened = files.open(path);
  if (!opened.ok()) {
    return naming(opened.status(), path);
  }
  const ReadableFile& file = **opened;
  if (file.size() > kTextBytesMax) {
    return bad_data(fmt::format("{}: {} bytes, more than the {} that such a file may have", path, file.size(),
                                kTextBytesMax));
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  TRY(naming(file.read(0, std::as_writable_bytes(std::span(text))), path));
  return text;
}

Status HashingFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto chunk = bytes.first(std::min(bytes.size(), static_cast<std::size_t>(kIoChunkBytes)));
    hasher_.update(chunk);
    TRY(file_->append(chunk));
    num_bytes_ += static_cast<std::int64_t>(chunk.size());
    bytes = bytes.subspan(chunk.size());
  }
  return ok_status();
}

Status append_text(WritableFile& file, std::string_view text) {
  return file.append(std::as_bytes(std::span(text)));
}

Result<WrittenFile> hash_file(FileSystem& files, const std::string& path, Hasher hasher) {
  auto opened = files.open(path);
  if (!opened.ok()) {
    return naming(opened.status(), path);
  }
  const ReadableFile& file = **opened;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(file.size(), kIoChunkBytes)));
  for (std::int64_t offset = 0; offset < file.size(); offset += kIoChunkBytes) {
    const auto chunk =
        std::span(buffer).first(static_cast<std::size_t>(std::min(kIoChunkBytes, file.size() - offset)));
    TRY(naming(file.read(offset, chunk), path));
    hasher.update(chunk);
  }
  return WrittenFile{file.size(), hasher.digest()};
}

}  // namespace cairn::checkpoint
