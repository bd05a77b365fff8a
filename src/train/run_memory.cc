#include "train/run_memory.h"

#include "data/goldfish.h"
#include "data/token_source.h"

namespace cairn::train {
namespace {

Status add_source(FileSystem& files, const std::string& prefix, const data::SampleOrderOptions& options,
                  RunMemory& memory) {
  const Result<std::int64_t> bytes = data::token_source_bytes(files, prefix, options);
  if (bytes.ok()) {
    memory.process.data_bytes += *bytes;
  } else if (bytes.status().code() == StatusCode::kNoInput) {
    memory.missing_shards.push_back(prefix);
  } else {
    return bytes.status();
  }
  return ok_status();
}

}  // namespace

Result<RunMemory> estimate_run_memory(FileSystem& files, const RunConfig& config, std::int64_t arena_bytes,
                                      int num_threads) {
  RunMemory memory;
  data::SampleOrderOptions order;
  order.sequence = config.train.sequence;
  order.num_samples = resolve_run(config).consumed_samples;
  TRY(add_source(files, config.data.stage.front().source.front().path, order, memory));
  data::SampleOrderOptions held_out = order;
  held_out.num_samples = 0;
  held_out.shuffle = false;
  held_out.keep_tail = true;
  for (const EvalSetSection& set : config.eval.set) {
    TRY(add_source(files, set.path, held_out, memory));
  }
  constexpr std::int64_t kGoldfishTableBytes = data::GoldfishMask::kTableSize * std::int64_t{sizeof(float)};
  constexpr std::int64_t kIdBytes = sizeof(std::int32_t);
  const std::int64_t goldfish = config.data.goldfish.enabled ? kGoldfishTableBytes : 0;
  const std::int64_t sample = (config.train.sequence + 1) * kIdBytes;  // the one being read
  memory.process = planner::estimate_process_memory(
      arena_bytes, memory.process.data_bytes + goldfish + sample, num_threads);
  return memory;
}

}  // namespace cairn::train
