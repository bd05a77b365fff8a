// The memory of a run before any of it is taken: `cairn plan` prints it, and the trainer refuses what does not fit.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/token_source.h"
#include "doors/file_system.h"
#include "planner/process_memory.h"
#include "train/run_config.h"

namespace cairn::train {

struct RunMemory {
  planner::ProcessMemory process;
  std::map<std::string, data::TokenSourceSize> shards;  // those that are there, by prefix
  std::vector<std::string> missing_shards;  // prefixes that are not there; their indices are not counted
};

// `arena_bytes` are those of the training plan. Reads the index files of the shards and allocates no order. kBadData
// and the like when a shard is there and cannot be used.
Result<RunMemory> estimate_run_memory(FileSystem& files, const RunConfig& config, std::int64_t arena_bytes,
                                      int num_threads);

}  // namespace cairn::train
