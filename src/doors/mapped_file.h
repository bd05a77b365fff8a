// Files as memory. Reading a mapped file that somebody cuts, or whose disk fails, is no error that a read could return:
// the system sends SIGBUS. It is answered here with one line naming file and byte, and exit code 74.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace cairn {

// Read-only. Unmapped by the destructor.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  virtual std::span<const std::byte> bytes() const = 0;
};

// Maps the whole of an open file of `size` bytes, `path` being its name in messages. The descriptor may be closed afterwards. kTransient when there
// is no address space or no room to note it; kIo otherwise.
Result<std::unique_ptr<MappedFile>> map_descriptor(int descriptor, std::size_t size, const std::string& path);

}  // namespace cairn
