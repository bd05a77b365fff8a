// How much resident memory a training process takes beyond its arenas.
#pragma once

#include <cstdint>

namespace cairn::planner {

// Measured on a CPU build; see README.md for how to measure again.
inline constexpr std::int64_t kProcessBaseBytes = std::int64_t{7} << 20;  // program, libraries, small tables
inline constexpr std::int64_t kThreadBytes = std::int64_t{128}
                                             << 10;  // touched stack and allocator of a worker

struct ProcessMemory {
  std::int64_t arena_bytes = 0;   // exact
  std::int64_t base_bytes = 0;    // estimated
  std::int64_t thread_bytes = 0;  // estimated
  std::int64_t total() const { return arena_bytes + base_bytes + thread_bytes; }
};

inline ProcessMemory estimate_process_memory(std::int64_t arena_bytes, int num_threads) {
  return {arena_bytes, kProcessBaseBytes, num_threads * kThreadBytes};
}

}  // namespace cairn::planner
