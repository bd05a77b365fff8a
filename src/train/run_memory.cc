#include "train/run_memory.h"

#include <algorithm>
#include <optional>

#include "data/goldfish.h"
#include "data/stage_plan.h"
#include "data/token_source.h"

namespace cairn::train {
namespace {

// The size of the shard, read once; nothing where it is missing.
Result<std::optional<data::TokenSourceSize>> size_of(FileSystem& files, const std::string& prefix,
                                                     RunMemory& memory) {
  if (const auto known = memory.shards.find(prefix); known != memory.shards.end()) {
    return std::optional(known->second);
  }
  const Result<data::TokenSourceSize> size = data::token_source_size(files, prefix);
  if (size.ok()) {
    memory.process.data_bytes += size->index_bytes;
    memory.shards[prefix] = *size;
    return std::optional(*size);
  }
  if (size.status().code() != StatusCode::kNoInput) {
    return size.status();
  }
  if (std::ranges::find(memory.missing_shards, prefix) == memory.missing_shards.end()) {
    memory.missing_shards.push_back(prefix);
  }
  return std::optional<data::TokenSourceSize>();
}

Status add_order(FileSystem& files, const std::string& prefix, const data::SampleOrderOptions& options,
                 RunMemory& memory) {
  TRY_ASSIGN(const std::optional<data::TokenSourceSize> shard, size_of(files, prefix, memory));
  if (!shard) {
    return ok_status();
  }
  const Result<data::SampleOrderSize> order =
      data::sample_order_size(shard->num_documents, shard->num_tokens, options);
  if (!order.ok()) {
    return order.status().with_context(prefix);
  }
  memory.process.data_bytes += order->num_bytes;
  return ok_status();
}

}  // namespace

Result<RunMemory> estimate_run_memory(FileSystem& files, const RunConfig& config, std::int64_t arena_bytes,
                                      int num_threads) {
  RunMemory memory;
  data::SampleOrderOptions order;
  order.sequence = config.train.sequence;
  const data::StagePlan plan = data::plan_stages(data_stages(config.data), resolve_run(config).samples);
  for (const data::PlannedOrder& planned : plan.orders) {
    order.num_samples = planned.num_samples;
    TRY(add_order(files, planned.prefix, order, memory));
  }
  data::SampleOrderOptions held_out = order;
  held_out.num_samples = 0;
  held_out.shuffle = false;
  held_out.keep_tail = true;
  for (const EvalSetSection& set : config.eval.set) {
    TRY(add_order(files, set.path, held_out, memory));
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
