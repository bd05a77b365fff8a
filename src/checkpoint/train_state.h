// Everything that a trainer must remember besides tensors: training/state.json of a checkpoint.
// Format: docs/formats/checkpoint.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cairn::checkpoint {

struct SourcePosition {
  std::string source;                 // path or name as in the run file
  double weight = 0.0;                // as in the run file; 0: none, the source is alone or mixed by its size
  std::int64_t first_sample = 0;      // of the source's order, where the stage began
  std::int64_t consumed_samples = 0;  // taken from this source within its stage
  // What its order is made from: it goes on only with the same values.
  std::int64_t seed = 0;         // of the shuffling
  std::int64_t num_samples = 0;  // as asked for: it decides how many epochs are shuffled together
  std::int64_t num_epochs = 0;   // that were needed for them
  friend bool operator==(const SourcePosition&, const SourcePosition&) = default;
};
struct StagePosition {
  std::int64_t start_samples = 0;     // first sample of the stage in the run
  std::int64_t consumed_samples = 0;  // taken within the stage
  std::int64_t sequence = 0;          // tokens per sample
  std::vector<SourcePosition> sources;
  friend bool operator==(const StagePosition&, const StagePosition&) = default;
};

// What the schedule was when these weights were made; a resume under another schedule is noticed and said.
struct ScheduleFacts {
  std::string type;                // "wsd", "cosine", ...
  double learning_rate = 0.0;      // peak
  std::int64_t total_samples = 0;  // planned length of the run
  std::int64_t warmup_samples = 0;
  std::int64_t decay_samples = 0;  // cooldown of WSD; 0 where the type has none
  friend bool operator==(const ScheduleFacts&, const ScheduleFacts&) = default;
};

struct DataFingerprint {
  std::string source;
  std::string fingerprint;  // hex
  friend bool operator==(const DataFingerprint&, const DataFingerprint&) = default;
};

struct TrainState {
  std::string run_id;
  std::int64_t step = 0;  // finished steps; the checkpoint is named after it
  std::int64_t consumed_samples = 0;
  std::int64_t consumed_tokens = 0;
  std::int64_t skipped_samples = 0;   // of steps that a policy dropped
  std::int64_t optimizer_step = 0;    // updates applied: bias correction and moment schedules
  std::uint64_t seed = 0;             // counter-based generators need nothing else
  std::vector<StagePosition> stages;  // those that have begun
  std::string sample_chain;           // hex; hash chain over the ids of all samples consumed, in order
  std::string config_hash;            // hex; of the resolved run file
  ScheduleFacts schedule;
  std::string tokenizer_fingerprint;  // hex
  std::vector<DataFingerprint> data_fingerprints;
  double elapsed_s = 0.0;  // training time over all attempts

  friend bool operator==(const TrainState&, const TrainState&) = default;
};

// JSON text, keys in a fixed order; numbers survive the round trip exactly.
std::string train_state_to_json(const TrainState& state);
// Strict: every key must be present, known, of its type and in its range. All faults at once (kBadData).
Result<TrainState> train_state_from_json(std::string_view text);

}  // namespace cairn::checkpoint
