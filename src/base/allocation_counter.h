// Counts heap allocations made through operator new, to prove that a training step makes none.
// Linking the object library cairn_allocation_counter replaces the global operator new and delete of the
// program; only the `cairn` program and tests that ask for it do. Counts are process-wide relaxed atomics.
// What C libraries take by malloc is not seen.
#pragma once

#include <cstdint>

namespace cairn {

struct AllocationCount {
  std::uint64_t allocations = 0;
  std::uint64_t deallocations = 0;
  std::uint64_t bytes = 0;  // requested, in total
};

// False in builds with a sanitizer, which bring their own operators; counts are then all zero.
bool is_allocation_counter_active();
AllocationCount allocation_count();

}  // namespace cairn
