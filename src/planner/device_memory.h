// The memory of one GPU that a training process takes, known before it starts, and what to change when it is too much.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "planner/training_plan.h"

namespace cairn::planner {

// Measured on H100 and H200: bench/results/2026-11-25-gpu-memory.md says how, 2026-11-29-gpu-h200.md has the later ones.
inline constexpr std::int64_t kMib = std::int64_t{1} << 20;
inline constexpr std::int64_t kCudaContextBytes = 529 * kMib;  // context and handles, taken at open
inline constexpr std::int64_t kCudaLaterBytes = 32 * kMib;     // what libraries take at first use
// What the driver hands out: an allocation takes a multiple.
inline constexpr std::int64_t kCudaGranularity = std::int64_t{2} << 20;

struct DeviceMemory {
  std::int64_t arena_bytes = 0;    // exact
  std::int64_t context_bytes = 0;  // estimated
  std::int64_t later_bytes = 0;    // estimated
  std::int64_t total() const { return arena_bytes + context_bytes + later_bytes; }
  // Of a device that is open already.
  std::int64_t wanted_when_open() const { return arena_bytes + later_bytes; }
};

// REQUIRES: a sealed plan of a run on a GPU.
DeviceMemory estimate_device_memory(const Plan& plan);

// Arenas in host memory of a run on a GPU: pinned ones, and the mirrors through which weights and, where they are on
// the GPU, moments are read and written.
std::int64_t host_arena_bytes(const Plan& plan);

// One change of the run file that needs less GPU memory, with what it would take then.
struct MemoryKnob {
  std::string change;  // "train.recompute = \"selective\""
  DeviceMemory device;
  std::int64_t host_bytes = 0;  // host_arena_bytes
};

// Every single change that helps, in order of what it costs in speed, and last all of them together.
std::vector<MemoryKnob> memory_knobs(const TrainingPlanInputs& inputs);

// kBadConfig with the numbers, and for each knob whether it would be enough, when `memory` is more than `free_bytes` of an
// open device.
Status check_device_memory_fits(const TrainingPlanInputs& inputs, const DeviceMemory& memory,
                                std::int64_t free_bytes);

}  // namespace cairn::planner
