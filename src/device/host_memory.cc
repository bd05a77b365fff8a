#include "device/host_memory.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

namespace cairn {
namespace {

constexpr std::size_t kFileBytesMax = 16384;
constexpr std::int64_t kKibi = 1024;

// Files of the kernel have no size: they are read in chunks, then in halves of them, up to their end.
std::string read_kernel_file(FileSystem& files, const std::string& path) {
  const Result<std::unique_ptr<ReadableFile>> file = files.open(path);
  std::string text;
  if (!file.ok()) {
    return text;
  }
  std::string chunk(1024, '\0');
  while (!chunk.empty() && text.size() < kFileBytesMax) {
    const auto offset = static_cast<std::int64_t>(text.size());
    if ((*file)->read(offset, std::as_writable_bytes(std::span(chunk))).ok()) {
      text += chunk;
    } else {
      chunk.resize(chunk.size() / 2);
    }
  }
  return text;
}

std::optional<std::int64_t> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t")));
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && value >= 0 ? std::optional(value) : std::nullopt;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The number after `key` at the beginning of a line.
std::optional<std::int64_t> number_of(std::string_view text, std::string_view key) {
  for (const std::string_view line : lines_of(text)) {
    if (line.starts_with(key)) {
      return leading_number(line.substr(key.size()));
    }
  }
  return std::nullopt;
}

struct GroupFiles {
  std::string_view limit, usage, droppable_key;
};
constexpr GroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};
constexpr GroupFiles kVersion2 = {"memory.max", "memory.current", "inactive_file "};

// What the groups of `path` and above it, mounted at `mount`, leave.
std::int64_t left_in_groups(FileSystem& files, const std::string& mount, std::string path,
                            const GroupFiles& names) {
  std::int64_t least = kMemoryUnknown;
  while (true) {
    const std::string folder = mount + path + (path.ends_with('/') ? "" : "/");
    const auto limit = leading_number(read_kernel_file(files, folder + std::string(names.limit)));
    const auto usage = leading_number(read_kernel_file(files, folder + std::string(names.usage)));
    if (limit && usage) {
      // Pages of files that were not used lately are given up first.
      const std::string statistics = read_kernel_file(files, folder + "memory.stat");
      const std::int64_t droppable = number_of(statistics, names.droppable_key).value_or(0);
      least =
          std::min(least, std::max<std::int64_t>(0, *limit - std::max<std::int64_t>(0, *usage - droppable)));
    }
    if (path.empty() || path == "/") {
      return least;
    }
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

std::int64_t left_in_address_space(FileSystem& files) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      limit.rlim_cur > static_cast<rlim_t>(kMemoryUnknown)) {
    return kMemoryUnknown;
  }
  const std::int64_t pages = leading_number(read_kernel_file(files, "/proc/self/statm")).value_or(0);
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(limit.rlim_cur) - pages * sysconf(_SC_PAGESIZE));
}

}  // namespace

std::int64_t available_memory_of_system(FileSystem& files) {
  std::int64_t least = kMemoryUnknown;
  if (const auto kib = number_of(read_kernel_file(files, "/proc/meminfo"), "MemAvailable:")) {
    least = *kib * kKibi;
  }
  const std::string groups = read_kernel_file(files, "/proc/self/cgroup");
  for (const std::string_view line : lines_of(groups)) {  // "4:memory:/a/b", "0::/a/b"
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (controllers.empty()) {
      least = std::min(least, left_in_groups(files, "/sys/fs/cgroup", path, kVersion2));
    } else if (controllers == "memory") {
      least = std::min(least, left_in_groups(files, "/sys/fs/cgroup/memory", path, kVersion1));
    }
  }
  return least;
}

std::int64_t available_memory_bytes(FileSystem& files) {
  return std::min(available_memory_of_system(files), left_in_address_space(files));
}

}  // namespace cairn
