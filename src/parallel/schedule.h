// What one rank does in one step, as data: a pure function of the layout, so that a test can read it without
// running anything. Today: gradient accumulation on one stage. Pipeline schedules are further functions here.
#pragma once

#include <cstdint>
#include <vector>

#include "parallel/reduction_tree.h"

namespace cairn::parallel {

struct WorkItem {
  enum class Phase : std::uint8_t {
    kForward,   // microbatch forward, activations into `slot`
    kBackward,  // microbatch backward from `slot`; adds to the gradient
    kReduce,    // one action of the reduction tree
  };
  Phase phase = Phase::kForward;
  std::int64_t microbatch = 0;
  int slot = 0;
  ReductionAction reduction;
};

// Forward, backward, reduce for each microbatch in turn, all in slot 0.
std::vector<WorkItem> accumulation_schedule(std::int64_t num_microbatches);

}  // namespace cairn::parallel
