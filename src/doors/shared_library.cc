#include "doors/shared_library.h"

#include <array>

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include "doors/path.h"

namespace cairn {
namespace {

std::string load_error() {
  const char* reason = ::dlerror();  // NOLINT(concurrency-mt-unsafe): its state is the thread's own on Linux
  return reason != nullptr ? reason : "no reason given";
}

std::string program_folder() {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size > 0 ? parent_path(std::string(path.data(), static_cast<std::size_t>(size))) : std::string(".");
}

}  // namespace

Result<SharedLibrary> SharedLibrary::open_beside_program(const std::string& name) {
  const std::string folder = program_folder();
  for (const std::string& path :
       {join_path(folder, name), join_path(join_path(parent_path(folder), "lib/cairn"), name)}) {
    if (::access(path.c_str(), F_OK) != 0) {
      continue;
    }
    // Local symbols: what the library brings along stays out of sight of this program.
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      return bad_config(fmt::format("{} cannot be loaded: {}", path, load_error()));
    }
    return SharedLibrary(handle);
  }
  return no_input(fmt::format("there is no {} beside the program in {}", name, folder));
}

Result<SharedLibrary> SharedLibrary::open_of_system(const std::string& name) {
  void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return no_input(fmt::format("{} cannot be loaded: {}", name, load_error()));
  }
  return SharedLibrary(handle);
}

void* SharedLibrary::symbol(const char* name) const {
  return ::dlsym(handle_, name);
}

}  // namespace cairn
