// Saves a snapshot as RUN/checkpoints/step-N. Either the whole checkpoint appears under its name or nothing does:
// every file is written and synced inside a temporary folder, the manifest last; the rename of that folder is the
// only commit point; the sync of its parent confirms it. Format and protocol: docs/formats/checkpoint.md.
//
// The protocol is a list of operations made by a pure function (plan_save) and carried out one by one through the
// file-system door, so that a simulated disk can stop it anywhere. Needs a fixed buffer, not a second copy of
// the tensors. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/hf_folder.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/run_folder.h"
#include "checkpoint/train_state.h"
#include "doors/file_system.h"

namespace cairn::checkpoint {

// Views into the trainer's memory; nothing may change them until save_checkpoint returns.
struct Snapshot {
  ModelFiles model_files;
  std::vector<NamedTensor> weights;    // float32 master, each once (a tied lm_head not at all)
  std::vector<MomentTensors> moments;  // float32, under the names of the weights
  TrainState state;
};

struct SaveOptions {
  DType model_dtype = DType::kFloat32;           // of model-*.safetensors; kBFloat16 adds training/master-*
  std::int64_t shard_bytes_max = 5'000'000'000;  // per safetensors file
  std::int64_t saved_at_unix_s = 0;              // for people; nothing depends on it
};

// "step-00000040".
std::string step_folder_name(std::int64_t step);

// Saves and confirms. The step, run id and attempt come from `snapshot.state` and `run`.
// An equal checkpoint that already stands there counts as saved; a damaged one is moved aside and replaced; a
// good one with other tensors is never overwritten (kCannotWrite). Any failure names the file, leaves all other
// checkpoints as they were and removes what it wrote if it can. Temporary folders of the dead are removed first.
Status save_checkpoint(FileSystem& files, RunFolder& run, const Snapshot& snapshot,
                       const SaveOptions& options);

// Removes temporary folders (interrupted saves and deletions) of the run that `run` has locked.
Status remove_rubbish(FileSystem& files, const RunFolder& run);

}  // namespace cairn::checkpoint
