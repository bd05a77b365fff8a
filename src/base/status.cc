#include "base/status.h"

namespace cairn {

Status Status::with_context(std::string_view context) const {
  if (ok()) {
    return *this;
  }
  return {code_, std::string(context) + ": " + message_};
}

}  // namespace cairn
