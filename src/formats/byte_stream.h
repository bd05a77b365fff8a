// A file read from front to back, decompressed on the way when its name ends in .gz or .zst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"
#include "formats/decompress.h"

namespace cairn {

class ByteStream {
 public:
  // kNoInput when missing, kBadConfig when it is compressed and this program cannot decompress it.
  static Result<ByteStream> open(FileSystem& files, const std::string& path);

  // Fills `out` from the front; fewer bytes only at the end of the text. kBadData naming the file and its byte where it is
  // damaged, cut short, or followed by something else.
  Result<std::size_t> read(std::span<std::byte> out);
  // kBadData when the text is shorter.
  Status skip(std::int64_t num_bytes);

  std::int64_t offset() const { return offset_; }            // bytes of text handed out or skipped
  std::int64_t file_offset() const { return file_offset_; }  // bytes of the file read
  const ReadableFile& file() const { return *file_; }

 private:
  ByteStream() = default;
  Result<std::size_t> read_plain(std::span<std::byte> out);
  Result<std::size_t> read_compressed(std::span<std::byte> out);
  Status fill();

  std::string path_;
  std::unique_ptr<ReadableFile> file_;
  std::unique_ptr<Decompressor> decompressor_;  // none: the bytes as they are
  std::vector<std::byte> input_;                // compressed bytes
  std::size_t input_at_ = 0;                    // the first not yet decoded
  std::int64_t file_offset_ = 0;
  std::int64_t offset_ = 0;
};

}  // namespace cairn
