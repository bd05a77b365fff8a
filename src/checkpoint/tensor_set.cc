#include "checkpoint/tensor_set.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "checkpoint/file_io.h"

namespace cairn::checkpoint {

Status TensorSet::add_file(FileSystem& files, const std::string& folder, const std::string& file,
                           Faults& faults) {
  auto opened = SafetensorsFile::open(files, join_path(folder, file));
  if (!opened.ok()) {
    return opened.status();
  }
  file_system_ = &files;
  const std::size_t num_before = tensors_.size();
  for (const SafetensorsInfo& info : opened->tensors()) {
    // Of the tensors that earlier files brought; within one file the format's reader has checked.
    const auto known = std::span(tensors_).first(num_before);
    const auto same =
        std::lower_bound(known.begin(), known.end(), info.name,
                         [](const StoredTensor& a, const std::string& b) { return a.name < b; });
    if (same != known.end() && same->name == info.name) {
      faults.add(fmt::format("tensor '{}'", info.name), file, fmt::format("is in {} too", same->file),
                 "remove the file that does not belong to this model");
      continue;
    }
    tensors_.push_back({info.name, info.dtype, info.shape, file, info.offset, info.num_bytes, files_.size()});
  }
  std::inplace_merge(tensors_.begin(), tensors_.begin() + static_cast<std::ptrdiff_t>(num_before),
                     tensors_.end(),
                     [](const StoredTensor& a, const StoredTensor& b) { return a.name < b.name; });
  files_.push_back(std::move(opened).value());
  return ok_status();
}

const StoredTensor* TensorSet::find(std::string_view name) const {
  const auto found = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](const StoredTensor& a, std::string_view b) { return a.name < b; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

Status TensorSet::read_as_float32(const StoredTensor& tensor, TensorView out) const {
  CHECK(tensor.file_index < files_.size(), "a tensor of another set");
  return files_[tensor.file_index].read_as_float32(tensor.name, out);
}

Result<bool> TensorSet::has_same_bytes(const StoredTensor& a, const StoredTensor& b) const {
  if (a.dtype != b.dtype || !(a.shape == b.shape)) {
    return false;
  }
  TRY_ASSIGN(const auto file_a, file_system_->open(files_[a.file_index].path()));
  TRY_ASSIGN(const auto file_b, file_system_->open(files_[b.file_index].path()));
  const auto buffer_bytes = static_cast<std::size_t>(std::min(a.num_bytes, kIoChunkBytes));
  std::vector<std::byte> buffer_a(buffer_bytes);
  std::vector<std::byte> buffer_b(buffer_bytes);
  for (std::int64_t done = 0; done < a.num_bytes; done += kIoChunkBytes) {
    const auto count = static_cast<std::size_t>(std::min(kIoChunkBytes, a.num_bytes - done));
    TRY(file_a->read(a.offset + done, std::span(buffer_a).first(count)));
    TRY(file_b->read(b.offset + done, std::span(buffer_b).first(count)));
    if (std::memcmp(buffer_a.data(), buffer_b.data(), count) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace cairn::checkpoint
