// The door to libraries that are loaded while the program runs: parts that it does without where they are missing.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace cairn {

// Stays loaded until the process ends.
class SharedLibrary {
 public:
  // Looks for `name` in the folder of this program, then in ../lib/cairn from there. kNoInput when there is none, kBadConfig
  // with the system's reason when there is one that cannot be loaded.
  static Result<SharedLibrary> open_beside_program(const std::string& name);

  // Where the system's loader finds it: LD_LIBRARY_PATH, the program's own search path, the system's folders. kNoInput with
  // the loader's reason when it does not.
  static Result<SharedLibrary> open_of_system(const std::string& name);

  // The address of an exported function; null when it has none of this name.
  void* symbol(const char* name) const;

 private:
  explicit SharedLibrary(void* handle) : handle_(handle) {}
  void* handle_;
};

}  // namespace cairn
