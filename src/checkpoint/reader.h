// Finds, verifies and restores checkpoints. Steps are compared as integers; a final folder without a valid
// manifest is damage, a temporary one does not exist. Format: docs/formats/checkpoint.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "checkpoint/hf_folder.h"
#include "checkpoint/manifest.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/run_folder.h"
#include "checkpoint/tensor_set.h"
#include "checkpoint/train_state.h"
#include "doors/file_system.h"

namespace cairn::checkpoint {

struct StepFolder {
  std::int64_t step = 0;
  std::string path;  // RUN/checkpoints/step-00000040
};
// Every final step folder, good or not, newest first. Empty when the folder does not exist.
Result<std::vector<StepFolder>> list_steps(FileSystem& files, const std::string& checkpoints_path);
// The step in a folder's name ("step-40", "step-00000040"); nothing for any other name.
std::optional<std::int64_t> step_from_name(std::string_view name);
// Has a manifest, or the name of a step (then a missing manifest is damage).
bool is_checkpoint_folder(FileSystem& files, const std::string& path);

struct Damage {
  std::string path;    // of the checkpoint folder
  std::string reason;  // names the file
};

// Reads and checks the manifest, against the folder's name and, unless it is "", the run id.
Result<Manifest> read_manifest(FileSystem& files, const std::string& path, const std::string& run_id);
// Reads every byte of every file in fixed buffers. kBadData names the first file that fails and why; kIo: it could
// not be read, which says nothing about its contents.
Result<Manifest> verify_checkpoint(FileSystem& files, const std::string& path, const std::string& run_id);

struct FoundCheckpoint {
  StepFolder folder;
  Manifest manifest;
};
struct Search {
  std::optional<FoundCheckpoint> newest_good;  // fully verified
  std::vector<Damage> damaged;                 // newer than it, newest first
};
// kIo and kTransient when a checkpoint cannot be read now: only damage makes an older one the newest.
Result<Search> find_newest_good(FileSystem& files, const std::string& checkpoints_path,
                                const std::string& run_id);

// `[checkpoint] load` and what `[task]` makes of a path.
enum class LoadMode : std::uint8_t { kAuto, kFresh, kPath };
struct StartRequest {
  LoadMode mode = LoadMode::kAuto;
  std::string path;           // kPath: a run folder, a checkpoint folder, or (weights only) a model folder
  bool weights_only = false;  // kPath: take the weights, start counting at 0
};
enum class StartKind : std::uint8_t { kFresh, kResume, kWeightsOnly };
struct StartDecision {
  StartKind kind = StartKind::kFresh;
  std::string path;             // of the checkpoint or model folder; "" when fresh
  std::int64_t step = 0;        // kResume
  std::vector<Damage> damaged;  // passed over; to be reported as warnings
  std::string note;             // one line for the log when there is something to say, else ""
};
// Call before RunFolder::open: refuses what must not touch the folder at all. kBadConfig: "fresh" and the folder is
// used; kNoInput: the named path is no folder, and the run has nothing of its own to go on from.
Status check_start(FileSystem& files, const std::string& run_path, const StartRequest& request);
// Call once after RunFolder::open and before begin_attempt; writes nothing. Errors: kBadData when confirmed steps exist but none is readable, or when the
// named path is damaged; kBadConfig when "fresh" meets a used folder or a path cannot be resumed from; kNoInput.
// A run that already has confirmed steps of its own goes on from them even when `path` names another folder, so
// that a chain may repeat one command.
Result<StartDecision> decide_start(FileSystem& files, const RunFolder& run, const StartRequest& request);

// Reads state.json of a verified checkpoint.
Result<TrainState> read_train_state(FileSystem& files, const std::string& path);
// Fills float32 master weights and moments by name from a verified checkpoint; names, shapes and dtypes are all
// checked before anything is written. kBadData lists all faults.
Status restore_tensors(FileSystem& files, const std::string& path, std::span<const NamedTarget> weights,
                       std::span<const nn::Buffer> buffers, std::span<const MomentTargets> moments);

// The tensors of one group: "weights" (the float32 master) or a moment ("exp_avg").
Result<TensorSet> open_tensors(FileSystem& files, const std::string& path, const Manifest& manifest,
                               const std::string& group);
// Weights only, from the folder of a StartDecision or model.from: a checkpoint (verified, float32 master, never the
// rounded model files) or a model folder.
Status restore_weights(FileSystem& files, const std::string& path, std::span<const NamedTarget> weights,
                       std::span<const nn::Buffer> buffers);
// The same for the parameters of a model in `memory`.
Status load_initial_weights(FileSystem& files, const std::string& path,
                            std::span<const nn::Parameter> parameters, std::span<const nn::Buffer> buffers,
                            const Memory& memory);

}  // namespace cairn::checkpoint
