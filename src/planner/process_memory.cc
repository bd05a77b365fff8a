#include "planner/process_memory.h"

#include <fmt/format.h>

#include "base/text.h"

namespace cairn::planner {

Status check_memory_fits(const ProcessMemory& memory, std::int64_t available_bytes) {
  if (memory.total() <= available_bytes) {
    return ok_status();
  }
  const bool is_data = memory.data_bytes > memory.arena_bytes;
  return bad_config(
      fmt::format("the run needs {} of memory (tensors {}, data order and indices {}), and {} are "
                  "available\n      fix: {}",
                  format_bytes(memory.total()), format_bytes(memory.arena_bytes),
                  format_bytes(memory.data_bytes), format_bytes(available_bytes),
                  is_data ? "lower train.samples, or train on a shard with fewer and longer documents"
                          : "lower train.microbatch or train.sequence, set train.recompute = \"block\", "
                            "choose a smaller model, "
                            "or use a machine with more memory; `cairn plan` shows what each takes"));
}

}  // namespace cairn::planner
