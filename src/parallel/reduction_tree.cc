#include "parallel/reduction_tree.h"

#include <bit>

#include "base/check.h"

namespace cairn::parallel {

int num_partial_buffers(std::int64_t num_microbatches) {
  CHECK(num_microbatches >= 1, "a step has at least one microbatch");
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(num_microbatches - 1)));
}

std::vector<ReductionAction> reduction_actions(std::int64_t index, std::int64_t count) {
  CHECK(index >= 0 && index < count, "microbatch index out of range");
  std::vector<ReductionAction> actions;
  const auto waiting = static_cast<std::uint64_t>(index);  // its bits say which levels hold a left half
  if (index == count - 1) {
    for (int level = 0; level < static_cast<int>(std::bit_width(waiting)); ++level) {
      if ((waiting >> level) & 1U) {
        actions.push_back({ReductionAction::Kind::kAddPartial, level});
      }
    }
    return actions;
  }
  const int carry_end = std::countr_one(waiting);
  for (int level = 0; level < carry_end; ++level) {
    actions.push_back({ReductionAction::Kind::kAddPartial, level});
  }
  actions.push_back({ReductionAction::Kind::kMoveToPartial, carry_end});
  return actions;
}

}  // namespace cairn::parallel
