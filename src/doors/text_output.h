// Joins the logger to the file door: rendered log lines go to a WritableFile.
#pragma once

#include <memory>
#include <string_view>

#include "base/log.h"
#include "base/status.h"
#include "doors/file_system.h"

namespace cairn {

// Appends text to a file without waiting for the disk. A failure is kept and later text is dropped: a log
// that cannot be written must not end a run, but close() tells.
class FileOutput : public TextOutput {
 public:
  explicit FileOutput(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}
  void write(std::string_view text) override;
  const Status& status() const { return status_; }
  Status close();

 private:
  std::unique_ptr<WritableFile> file_;
  Status status_;
};

}  // namespace cairn
