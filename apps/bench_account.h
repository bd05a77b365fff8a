// The speed-of-light account of training steps on a GPU: how long it spent in matrix products, attention, passes over
// memory, the optimizer, and waiting, each beside the least time that the hardware allows for the same work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "commands.h"
#include "device/kernel_trace.h"
#include "nn/model_config.h"

namespace cairn::apps {

// What the traced steps were.
struct AccountedWork {
  nn::ModelConfig model;
  std::int64_t steps = 0;
  std::int64_t sequences = 0;  // of a step
  std::int64_t sequence = 0;   // tokens of one
  std::int64_t microbatches = 0;
  int num_moments = 2;
  double copy_bytes_per_s = 0;  // measured
};

// Prints one row per kind and, below, the kernels that took most.
void print_account(const std::vector<DeviceInterval>& intervals, const AccountedWork& work,
                   CommandContext& context);

}  // namespace cairn::apps
