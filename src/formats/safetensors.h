// The safetensors file format: 8 bytes of header length (little endian), a JSON header, then the tensors'
// bytes without gaps. The reader trusts nothing: every size and offset is checked against the file before
// use. The writer lays files out as the safetensors package does. See docs/formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"
#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace cairn {

struct SafetensorsInfo {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;              // at most Shape::kRankMax dims
  std::int64_t offset = 0;  // of the first byte, from the start of the file
  std::int64_t num_bytes = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsInfo> tensors;  // sorted by name
  std::map<std::string, std::string> metadata;
  const SafetensorsInfo* find(std::string_view name) const;
};

inline constexpr std::int64_t kSafetensorsHeaderBytesMax = 100'000'000;

// `header_bytes`: the beginning of a file of `file_size` bytes: the 8 length bytes and the whole header (more
// may follow and is ignored). kBadData naming what is wrong.
Result<SafetensorsHeader> parse_safetensors_header(std::span<const std::byte> header_bytes,
                                                   std::int64_t file_size);

// An open file whose header was checked. Reading is thread-safe if the FileSystem's files are.
class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(FileSystem& files, const std::string& path);

  std::span<const SafetensorsInfo> tensors() const { return header_.tensors; }  // sorted by name
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  const SafetensorsInfo* find(std::string_view name) const { return header_.find(name); }
  const std::string& path() const { return path_; }

  // Overwrites `out`, host memory, whose dtype and shape must be the file's (kBadData naming both otherwise).
  Status read(std::string_view name, TensorView out) const;
  // Overwrites `out` (float32, the file's shape) with converted elements. bfloat16, float16 exactly; float64
  // rounded to nearest; integers and booleans only when exact in float32 (kBadData otherwise).
  Status read_as_float32(std::string_view name, TensorView out) const;

 private:
  SafetensorsFile(std::string path, std::unique_ptr<ReadableFile> file, SafetensorsHeader header)
      : path_(std::move(path)), file_(std::move(file)), header_(std::move(header)) {}
  Result<const SafetensorsInfo*> find_matching(std::string_view name, const Shape& shape) const;

  std::string path_;
  std::unique_ptr<ReadableFile> file_;
  SafetensorsHeader header_;
};

struct SafetensorsEntry {
  std::string name;
  ConstTensorView view;  // host memory, borrowed for the call
  // Stored as this dtype when given: the view's own, or bfloat16 from float32 (round to nearest even).
  std::optional<DType> store_as;
};

// Appends a whole file to `file` (which must be empty). Neither syncs nor closes it. {"format": "pt"} is
// added to `metadata` unless it has a "format". A name twice is kBug. Uses a buffer of 64 KiB for conversion.
Status write_safetensors(WritableFile& file, std::span<const SafetensorsEntry> entries,
                         const std::map<std::string, std::string>& metadata);
// The size of the file that write_safetensors would make.
std::int64_t safetensors_file_size(std::span<const SafetensorsEntry> entries,
                                   const std::map<std::string, std::string>& metadata);

float float16_to_float(std::uint16_t bits);  // IEEE binary16, exact

}  // namespace cairn
