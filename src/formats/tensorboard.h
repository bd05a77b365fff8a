// Event files of TensorBoard with scalar summaries. A record is: uint64 length, masked CRC32C of the length,
// the bytes of one Event message, masked CRC32C of the bytes. The protobuf fields are written by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn {

class TensorboardWriter {
 public:
  // Appends the version record. The file is new (create) or an earlier event file (append_to).
  static Result<TensorboardWriter> create(std::unique_ptr<WritableFile> file, std::int64_t wall_ns);

  // Buffered; reaches the file with flush() or close(). Steps are what the x axis shows.
  void add_scalar(std::string_view tag, std::int64_t step, float value, std::int64_t wall_ns);
  Status flush();
  Status close();  // flushes

 private:
  explicit TensorboardWriter(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}
  void append_record(std::string_view event);

  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
  std::string event_;
  std::string summary_;
  std::string value_;
};

// "events.out.tfevents.<seconds>.<host>.<pid>": what TensorBoard looks for in a folder.
std::string tensorboard_file_name(std::int64_t wall_ns, std::string_view host, std::int64_t process_id);

// ((crc >> 15) | (crc << 17)) + 0xa282ead8: the form stored in records.
std::uint32_t masked_crc32c(std::string_view bytes);

}  // namespace cairn
