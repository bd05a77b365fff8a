#include "doors/text_output.h"

namespace cairn {

void FileOutput::write(std::string_view text) {
  if (status_.ok()) {
    status_ = file_->append(std::as_bytes(std::span(text)));
  }
}

Status FileOutput::close() {
  const Status closed = file_->close();
  return status_.ok() ? closed : status_;
}

}  // namespace cairn
