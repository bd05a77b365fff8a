// The tensors of several safetensors files as one set, by name. Holds the files open; nothing is read before
// read_as_float32() or read(). Reading is thread-safe if the FileSystem's files are.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/faults.h"
#include "base/status.h"
#include "checkpoint/named_tensor.h"
#include "doors/file_system.h"
#include "formats/safetensors.h"

namespace cairn::checkpoint {

// One tensor of one file of a set.
struct StoredTensor {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::string file;         // as given to add_file: "model-00001-of-00002.safetensors"
  std::int64_t offset = 0;  // of its first byte in that file
  std::int64_t num_bytes = 0;
  std::size_t file_index = 0;
};

class TensorSet {
 public:
  // Opens folder/file. A name that an earlier file has too is a fault.
  Status add_file(FileSystem& files, const std::string& folder, const std::string& file, Faults& faults);

  std::span<const StoredTensor> list() const { return tensors_; }  // by name
  const StoredTensor* find(std::string_view name) const;           // nullptr when missing

  // Overwrites `out`, float32 of the stored shape, converting F32, BF16, F16 and F64.
  Status read_as_float32(const StoredTensor& tensor, TensorView out) const;
  // Whether two tensors have the same dtype, shape and bytes; read in fixed buffers.
  Result<bool> has_same_bytes(const StoredTensor& a, const StoredTensor& b) const;

 private:
  FileSystem* file_system_ = nullptr;
  std::vector<SafetensorsFile> files_;
  std::vector<StoredTensor> tensors_;
};

}  // namespace cairn::checkpoint
