// How much memory this process may still take, known before it takes any.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn {

// No limit is known: the system does not tell.
inline constexpr std::int64_t kMemoryUnknown = INT64_MAX;

// Bytes that can be allocated and touched now: the least of
//   /proc/meminfo        MemAvailable
//   the control groups   limit minus what is used and cannot be dropped, of this process's group and all around it
//                        (versions 1 and 2)
//   RLIMIT_AS            minus the address space in use
// kMemoryUnknown where none of them is there. Reads a few small files; never fails.
std::int64_t available_memory_bytes(FileSystem& files);

// The part that comes from files under /proc and /sys.
std::int64_t available_memory_of_system(FileSystem& files);

}  // namespace cairn
