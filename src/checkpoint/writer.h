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
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "checkpoint/hf_folder.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/run_folder.h"
#include "checkpoint/tensor_files.h"
#include "checkpoint/train_state.h"
#include "doors/file_system.h"

namespace cairn::checkpoint {

// Views into the trainer's memory; nothing may change them until save_checkpoint returns.
struct Snapshot {
  ModelFiles model_files;
  std::vector<NamedTensor> weights;    // float32 master, each once (a tied lm_head not at all)
  std::vector<MomentTensors> moments;  // float32, under the names of the weights
  TrainState state;                    // state.run_id must be the run's
};

struct SaveOptions {
  DType model_dtype = DType::kFloat32;           // of model-*.safetensors; kBFloat16 adds training/master-*
  std::int64_t shard_bytes_max = 5'000'000'000;  // per safetensors file
  std::int64_t saved_at_unix_s = 0;              // for people; nothing depends on it
};

// "step-00000040".
std::string step_folder_name(std::int64_t step);
// ".step-00000040.<attempt><suffix>.tmp": never taken for a checkpoint, removed by the run's next writer.
std::string temporary_folder_name(std::int64_t step, std::int64_t attempt, std::string_view suffix);

// Over names and bytes of all weights and moments, in the order of names: equal for equal training tensors.
Hash128 hash_tensors(std::span<const NamedTensor> weights, std::span<const MomentTensors> moments);

// Saves and confirms. The step comes from `snapshot.state`, run id and attempt from `run`.
// An equal checkpoint that already stands there counts as saved; a damaged one is moved aside and replaced; a
// good one with other tensors is never overwritten (kCannotWrite). Any failure names the file, leaves all other
// checkpoints as they were and removes what it wrote if it can. Temporary folders of the dead are removed first.
// kCannotWrite: too little space (known before the first byte, or met on the way); kIo: writing failed.
Status save_checkpoint(FileSystem& files, RunFolder& run, const Snapshot& snapshot,
                       const SaveOptions& options);

// Removes temporary folders (interrupted saves and deletions) of the run that `run` has locked.
Status remove_rubbish(FileSystem& files, const RunFolder& run);

// The protocol of one save as data. Names are relative to the temporary folder.
enum class SaveAction : std::uint8_t {
  kMakeFolder,
  kWriteText,      // `text`
  kWriteTensors,   // `entries`
  kWriteManifest,  // the table of all files written so far
  kSyncFolder,     // "" is the temporary folder itself
  kMoveAside,      // a damaged folder under the final name, out of the way
  kCommit,         // rename to the final name
  kConfirm,        // sync of the parent: from here on the step survives a crash
};
struct SaveOperation {
  SaveAction action = SaveAction::kMakeFolder;
  std::string name;
  std::string text;
  std::vector<SafetensorsEntry> entries;
};
// Pure. The views of `snapshot` are borrowed.
std::vector<SaveOperation> plan_save(const Snapshot& snapshot, const SaveOptions& options,
                                     bool is_final_name_taken);

}  // namespace cairn::checkpoint
