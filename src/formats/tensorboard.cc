#include "formats/tensorboard.h"

#include <array>
#include <bit>
#include <cstring>
#include <span>

#include <fmt/format.h>

#include "base/hash.h"

namespace cairn {
namespace {

// Field numbers of event.proto and summary.proto.
constexpr std::uint32_t kEventWallTime = 1;
constexpr std::uint32_t kEventStep = 2;
constexpr std::uint32_t kEventFileVersion = 3;
constexpr std::uint32_t kEventSummary = 5;
constexpr std::uint32_t kSummaryValue = 1;
constexpr std::uint32_t kValueTag = 1;
constexpr std::uint32_t kValueSimple = 2;

enum class WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(static_cast<unsigned char>(value | 0x80));
    value >>= 7;
  }
  out += static_cast<char>(static_cast<unsigned char>(value));
}

void put_key(std::string& out, std::uint32_t field, WireType type) {
  put_varint(out, (field << 3) | static_cast<std::uint32_t>(type));
}

template <class T>
void put_fixed(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

void put_double(std::string& out, std::uint32_t field, double value) {
  put_key(out, field, WireType::kFixed64);
  put_fixed(out, value);
}

void put_bytes(std::string& out, std::uint32_t field, std::string_view value) {
  put_key(out, field, WireType::kBytes);
  put_varint(out, value.size());
  out += value;
}

double seconds(std::int64_t wall_ns) {
  return static_cast<double>(wall_ns) * 1e-9;
}

}  // namespace

std::uint32_t masked_crc32c(std::string_view bytes) {
  constexpr std::uint32_t kMask = 0xA282EAD8U;
  return std::rotr(crc32c(std::as_bytes(std::span(bytes))), 15) + kMask;
}

Result<TensorboardWriter> TensorboardWriter::create(std::unique_ptr<WritableFile> file,
                                                    std::int64_t wall_ns) {
  TensorboardWriter writer(std::move(file));
  put_double(writer.event_, kEventWallTime, seconds(wall_ns));
  put_bytes(writer.event_, kEventFileVersion, "brain.Event:2");
  writer.append_record(writer.event_);
  TRY(writer.flush());
  return writer;
}

void TensorboardWriter::append_record(std::string_view event) {
  const std::size_t begin = buffer_.size();
  put_fixed(buffer_, std::uint64_t{event.size()});
  const std::uint32_t length_crc = masked_crc32c(std::string_view(buffer_).substr(begin));
  put_fixed(buffer_, length_crc);
  buffer_ += event;
  put_fixed(buffer_, masked_crc32c(event));
}

void TensorboardWriter::add_scalar(std::string_view tag, std::int64_t step, float value,
                                   std::int64_t wall_ns) {
  value_.clear();
  put_bytes(value_, kValueTag, tag);
  put_key(value_, kValueSimple, WireType::kFixed32);
  put_fixed(value_, value);

  event_.clear();
  put_double(event_, kEventWallTime, seconds(wall_ns));
  put_key(event_, kEventStep, WireType::kVarint);
  put_varint(event_, static_cast<std::uint64_t>(step));
  summary_.clear();
  put_bytes(summary_, kSummaryValue, value_);
  put_bytes(event_, kEventSummary, summary_);
  append_record(event_);
}

Status TensorboardWriter::flush() {
  const Status status = file_->append(std::as_bytes(std::span(buffer_)));
  buffer_.clear();
  return status;
}

Status TensorboardWriter::close() {
  const Status flushed = flush();
  const Status closed = file_->close();
  return flushed.ok() ? closed : flushed;
}

std::string tensorboard_file_name(std::int64_t wall_ns, std::string_view host, std::int64_t process_id) {
  return fmt::format("events.out.tfevents.{:010}.{}.{}", wall_ns / 1'000'000'000, host, process_id);
}

}  // namespace cairn
