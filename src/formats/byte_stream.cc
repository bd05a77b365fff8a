#include "formats/byte_stream.h"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {
namespace {

constexpr std::int64_t kInputBytes = std::int64_t{1} << 18;
constexpr std::size_t kSkipBytes = std::size_t{1} << 20;

}  // namespace

Result<ByteStream> ByteStream::open(FileSystem& files, const std::string& path) {
  ByteStream stream;
  stream.path_ = path;
  TRY_ASSIGN(stream.file_, files.open(path));
  if (const Compression compression = compression_for(path); compression != Compression::kNone) {
    Result<std::unique_ptr<Decompressor>> decompressor = make_decompressor(compression);
    if (!decompressor.ok()) {
      return decompressor.status().with_context(path);
    }
    stream.decompressor_ = std::move(*decompressor);
  }
  return stream;
}

Result<std::size_t> ByteStream::read(std::span<std::byte> out) {
  Result<std::size_t> count = decompressor_ ? read_compressed(out) : read_plain(out);
  if (count.ok()) {
    offset_ += static_cast<std::int64_t>(*count);
  }
  return count;
}

Result<std::size_t> ByteStream::read_plain(std::span<std::byte> out) {
  const auto left = static_cast<std::size_t>(file_->size() - file_offset_);
  const auto part = out.first(std::min(out.size(), left));
  TRY(file_->read(file_offset_, part));
  file_offset_ += static_cast<std::int64_t>(part.size());
  return part.size();
}

Status ByteStream::fill() {
  input_.resize(static_cast<std::size_t>(std::min(kInputBytes, file_->size() - file_offset_)));
  input_at_ = 0;
  TRY(file_->read(file_offset_, input_));
  file_offset_ += static_cast<std::int64_t>(input_.size());
  return ok_status();
}

Result<std::size_t> ByteStream::read_compressed(std::span<std::byte> out) {
  std::size_t count = 0;
  while (count < out.size()) {
    if (input_at_ == input_.size() && file_offset_ < file_->size()) {
      TRY(fill());
    }
    const auto in = std::span<const std::byte>(input_).subspan(input_at_);
    const Result<Decompressor::Step> step = decompressor_->step(in, out.subspan(count));
    if (!step.ok()) {
      return step.status().with_context(
          fmt::format("{} near byte {}", path_, file_offset_ - static_cast<std::int64_t>(in.size())));
    }
    input_at_ += step->consumed;
    count += step->produced;
    if (step->consumed == 0 && step->produced == 0) {
      if (!in.empty() || !decompressor_->is_complete()) {
        return bad_data(fmt::format("{}: the compressed data are cut short at byte {}", path_, file_offset_));
      }
      break;
    }
  }
  return count;
}

Status ByteStream::skip(std::int64_t num_bytes) {
  if (!decompressor_) {
    if (num_bytes > file_->size() - file_offset_) {
      return bad_data(fmt::format("{}: ends at byte {}, {} more were expected", path_, file_->size(),
                                  num_bytes - (file_->size() - file_offset_)));
    }
    file_offset_ += num_bytes;
    offset_ += num_bytes;
    return ok_status();
  }
  std::vector<std::byte> ignored(std::min(kSkipBytes, static_cast<std::size_t>(num_bytes)));
  while (num_bytes > 0) {
    const auto part = std::span(ignored).first(std::min(ignored.size(), static_cast<std::size_t>(num_bytes)));
    TRY_ASSIGN(const std::size_t count, read(part));
    if (count < part.size()) {
      return bad_data(fmt::format("{}: its text ends at byte {}, more was expected", path_, offset_));
    }
    num_bytes -= static_cast<std::int64_t>(count);
  }
  return ok_status();
}

}  // namespace cairn
