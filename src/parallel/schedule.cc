#include "parallel/schedule.h"

namespace cairn::parallel {

std::vector<WorkItem> accumulation_schedule(std::int64_t num_microbatches) {
  std::vector<WorkItem> items;
  for (std::int64_t m = 0; m < num_microbatches; ++m) {
    items.push_back({WorkItem::Phase::kForward, m, 0, {}});
    items.push_back({WorkItem::Phase::kBackward, m, 0, {}});
    for (const ReductionAction& action : reduction_actions(m, num_microbatches)) {
      items.push_back({WorkItem::Phase::kReduce, m, 0, action});
    }
  }
  return items;
}

}  // namespace cairn::parallel
