// How much resident memory a training process takes, arenas and everything beside them.
#pragma once

#include <cstdint>

#include "base/status.h"

namespace cairn::planner {

// Measured on a CPU build; see README.md for how to measure again.
// Program, libraries, small tables: 7 MiB built for the CPU alone, 11 MiB with the code for GPUs.
inline constexpr std::int64_t kProcessBaseBytes = std::int64_t{9} << 20;
inline constexpr std::int64_t kThreadBytes = std::int64_t{128}
                                             << 10;  // touched stack and allocator of a worker

struct ProcessMemory {
  std::int64_t arena_bytes = 0;   // exact
  std::int64_t data_bytes = 0;    // indices of token shards, orders of samples, the Goldfish table; exact
  std::int64_t base_bytes = 0;    // estimated
  std::int64_t thread_bytes = 0;  // estimated
  std::int64_t total() const { return arena_bytes + data_bytes + base_bytes + thread_bytes; }
};

inline ProcessMemory estimate_process_memory(std::int64_t arena_bytes, std::int64_t data_bytes,
                                             int num_threads) {
  return {arena_bytes, data_bytes, kProcessBaseBytes, num_threads * kThreadBytes};
}

// kBadConfig that says what is needed, what is available and what to change when `memory` is more than
// `available_bytes` (device/host_memory.h). Call before anything large is allocated.
Status check_memory_fits(const ProcessMemory& memory, std::int64_t available_bytes);

}  // namespace cairn::planner
