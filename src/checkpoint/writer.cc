#include "checkpoint/writer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "checkpoint/file_io.h"
#include "checkpoint/manifest.h"
#include "checkpoint/reader.h"

namespace cairn::checkpoint {
namespace {

constexpr std::string_view kTemporaryPrefix = ".step-";
constexpr std::string_view kTemporarySuffix = ".tmp";
// Headers, JSON files and blocks that are not full, beside the bytes of tensors.
constexpr std::int64_t kSpaceSlackBytes = std::int64_t{1} << 20;

void add_tensor_files(std::vector<SaveOperation>& operations, std::span<const TensorFile> files) {
  for (const TensorFile& file : files) {
    operations.push_back({SaveAction::kWriteTensors, file.name, "", file.entries});
  }
}

std::string master_group(const SaveOptions& options) {
  return options.model_dtype == DType::kFloat32 ? "model" : "training/master";
}

}  // namespace

std::string step_folder_name(std::int64_t step) {
  return fmt::format("step-{:08}", step);
}

std::string temporary_folder_name(std::int64_t step, std::int64_t attempt, std::string_view suffix) {
  return fmt::format("{}{:08}.{}{}{}", kTemporaryPrefix, step, attempt, suffix, kTemporarySuffix);
}

Hash128 hash_tensors(std::span<const NamedTensor> weights, std::span<const MomentTensors> moments) {
  Hasher hasher;
  const auto update_group = [&](std::string_view group, std::span<const NamedTensor> tensors) {
    std::vector<const NamedTensor*> sorted;
    for (const NamedTensor& tensor : tensors) {
      sorted.push_back(&tensor);
    }
    std::sort(sorted.begin(), sorted.end(),
              [](const NamedTensor* a, const NamedTensor* b) { return a->name < b->name; });
    hasher.update_uint64(group.size());
    hasher.update(group);
    hasher.update_uint64(sorted.size());
    for (const NamedTensor* tensor : sorted) {
      hasher.update_uint64(tensor->name.size());
      hasher.update(tensor->name);
      hasher.update_uint64(static_cast<std::uint64_t>(tensor->view.num_bytes()));
      hasher.update(std::span(tensor->view.bytes(), static_cast<std::size_t>(tensor->view.num_bytes())));
    }
  };
  update_group("weights", weights);
  std::vector<const MomentTensors*> sorted;
  for (const MomentTensors& moment : moments) {
    sorted.push_back(&moment);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const MomentTensors* a, const MomentTensors* b) { return a->moment < b->moment; });
  for (const MomentTensors* moment : sorted) {
    update_group(moment->moment, moment->tensors);
  }
  return hasher.digest();
}

std::vector<SaveOperation> plan_save(const Snapshot& snapshot, const SaveOptions& options,
                                     bool is_final_name_taken) {
  std::vector<SaveOperation> operations;
  operations.push_back({SaveAction::kMakeFolder, "", "", {}});
  operations.push_back({SaveAction::kMakeFolder, "training", "", {}});
  const HfWriteOptions model_options{options.model_dtype, options.shard_bytes_max};
  for (ModelFolderFile& file : plan_model_folder(snapshot.model_files, snapshot.weights, model_options)) {
    const SaveAction action = file.entries.empty() ? SaveAction::kWriteText : SaveAction::kWriteTensors;
    operations.push_back({action, std::move(file.name), std::move(file.text), std::move(file.entries)});
  }
  if (options.model_dtype != DType::kFloat32) {
    add_tensor_files(operations, plan_tensor_files("training/master", plain_entries(snapshot.weights),
                                                   options.shard_bytes_max, true));
  }
  for (const MomentTensors& moment : snapshot.moments) {
    add_tensor_files(operations, plan_tensor_files("training/" + moment.moment, plain_entries(moment.tensors),
                                                   options.shard_bytes_max, true));
  }
  operations.push_back(
      {SaveAction::kWriteText, "training/state.json", train_state_to_json(snapshot.state), {}});
  operations.push_back({SaveAction::kSyncFolder, "training", "", {}});
  operations.push_back({SaveAction::kWriteManifest, std::string(kManifestName), "", {}});
  operations.push_back({SaveAction::kSyncFolder, "", "", {}});
  if (is_final_name_taken) {
    operations.push_back({SaveAction::kMoveAside, "", "", {}});
  }
  operations.push_back({SaveAction::kCommit, "", "", {}});
  operations.push_back({SaveAction::kConfirm, "", "", {}});
  return operations;
}

namespace {

// Carries out a plan. One object per save.
class SaveExecutor {
 public:
  SaveExecutor(FileSystem& files, const RunFolder& run, Manifest manifest)
      : files_(files),
        checkpoints_path_(run.checkpoints_path()),
        temporary_path_(
            join_path(checkpoints_path_, temporary_folder_name(manifest.step, run.attempt(), ""))),
        aside_path_(
            join_path(checkpoints_path_, temporary_folder_name(manifest.step, run.attempt(), ".damaged"))),
        final_path_(join_path(checkpoints_path_, step_folder_name(manifest.step))),
        manifest_(std::move(manifest)) {}

  Status run(std::span<const SaveOperation> operations) {
    for (const SaveOperation& operation : operations) {
      const Status status = execute(operation);
      if (!status.ok()) {
        remove_if_possible(files_, temporary_path_);
        return status;
      }
    }
    remove_if_possible(files_, aside_path_);
    return ok_status();
  }

 private:
  Status execute(const SaveOperation& operation) {
    const std::string path =
        operation.name.empty() ? temporary_path_ : join_path(temporary_path_, operation.name);
    switch (operation.action) {
      case SaveAction::kMakeFolder:
        return naming(files_.make_directories(path), path);
      case SaveAction::kWriteText:
        return write_listed(operation.name,
                            [&](WritableFile& file) { return append_text(file, operation.text); });
      case SaveAction::kWriteTensors:
        return write_listed(operation.name, [&](WritableFile& file) {
          return write_safetensors(file, operation.entries, {});
        });
      case SaveAction::kWriteManifest:
        return write_manifest(path);
      case SaveAction::kSyncFolder:
        return naming(files_.sync_directory(path), path);
      case SaveAction::kMoveAside:
        return naming(files_.rename(final_path_, aside_path_), final_path_);
      case SaveAction::kCommit:
        return naming(files_.rename(temporary_path_, final_path_), final_path_);
      case SaveAction::kConfirm:
        return naming(files_.sync_directory(checkpoints_path_), checkpoints_path_);
    }
    CHECK(false, "an unknown save action");
    return ok_status();
  }

  template <class Body>
  Status write_listed(const std::string& name, Body&& body) {
    TRY_ASSIGN(const WrittenFile written,
               write_durable_file(files_, join_path(temporary_path_, name),
                                  file_hasher(manifest_.run_id, manifest_.step, name), body));
    manifest_.files.push_back({name, written.num_bytes, written.hash});
    return ok_status();
  }

  Status write_manifest(const std::string& path) {
    std::sort(manifest_.files.begin(), manifest_.files.end(),
              [](const ManifestFile& a, const ManifestFile& b) { return a.name < b.name; });
    return write_durable_file(
               files_, path, Hasher(),
               [&](WritableFile& file) { return append_text(file, manifest_to_json(manifest_)); })
        .status();
  }

  FileSystem& files_;
  std::string checkpoints_path_;
  std::string temporary_path_;
  std::string aside_path_;
  std::string final_path_;
  Manifest manifest_;
};

// Free space is asked for before anything is written, so that a full disk costs one line and no half folder.
Status check_space(FileSystem& files, const std::string& checkpoints_path,
                   std::span<const SaveOperation> operations) {
  std::int64_t needed = kSpaceSlackBytes;
  for (const SaveOperation& operation : operations) {
    needed += static_cast<std::int64_t>(operation.text.size());
    for (const SafetensorsEntry& entry : operation.entries) {
      needed += stored_bytes(entry);
    }
  }
  const auto available = files.free_bytes(checkpoints_path);
  // A file system that cannot tell is tried: the write itself reports what is wrong.
  if (available.ok() && *available < needed) {
    return cannot_write(
        fmt::format("{}: a checkpoint needs {} bytes, {} are free", checkpoints_path, needed, *available));
  }
  return ok_status();
}

enum class Standing : std::uint8_t { kNothing, kDamaged, kSame };

// What stands under the final name already.
Result<Standing> look_at_final(FileSystem& files, const RunFolder& run, const Snapshot& snapshot,
                               const Hash128& tensors_hash) {
  const std::string path = join_path(run.checkpoints_path(), step_folder_name(snapshot.state.step));
  if (!files.exists(path)) {
    return Standing::kNothing;
  }
  const auto manifest = verify_checkpoint(files, path, run.run_id());
  if (manifest.status().code() == StatusCode::kBadData) {
    return Standing::kDamaged;
  }
  TRY(manifest.status());
  TRY_ASSIGN(TrainState state, read_train_state(files, path));
  state.elapsed_s = snapshot.state.elapsed_s;
  if (manifest->tensors_hash == tensors_hash && state == snapshot.state) {
    return Standing::kSame;
  }
  return cannot_write(
      fmt::format("{} holds a good checkpoint with other contents; it is never overwritten: move "
                  "it away or use another run folder",
                  path));
}

}  // namespace

Status save_checkpoint(FileSystem& files, RunFolder& run, const Snapshot& snapshot,
                       const SaveOptions& options) {
  CHECK(snapshot.state.run_id == run.run_id(), "a snapshot of another run");
  const std::string checkpoints = run.checkpoints_path();
  Manifest manifest;
  manifest.run_id = run.run_id();
  manifest.step = snapshot.state.step;
  manifest.attempt = run.attempt();
  manifest.saved_at_unix_s = options.saved_at_unix_s;
  manifest.master = master_group(options);
  manifest.tensors_hash = hash_tensors(snapshot.weights, snapshot.moments);
  for (const MomentTensors& moment : snapshot.moments) {
    manifest.moments.push_back(moment.moment);
  }
  TRY(remove_rubbish(files, run));
  TRY_ASSIGN(const Standing standing, look_at_final(files, run, snapshot, manifest.tensors_hash));
  if (standing == Standing::kSame) {
    TRY(naming(files.sync_directory(checkpoints), checkpoints));
    return run.record_confirmed(snapshot.state.step);
  }
  const auto operations = plan_save(snapshot, options, standing == Standing::kDamaged);
  TRY(check_space(files, checkpoints, operations));
  TRY(SaveExecutor(files, run, std::move(manifest)).run(operations));
  return run.record_confirmed(snapshot.state.step);
}

Status remove_rubbish(FileSystem& files, const RunFolder& run) {
  const std::string checkpoints = run.checkpoints_path();
  auto names = files.list(checkpoints);
  if (!names.ok()) {
    return naming(names.status(), checkpoints);
  }
  for (const std::string& name : *names) {
    if (name.starts_with(kTemporaryPrefix) && name.ends_with(kTemporarySuffix)) {
      TRY(naming(files.remove_tree(join_path(checkpoints, name)), join_path(checkpoints, name)));
    }
  }
  return ok_status();
}

}  // namespace cairn::checkpoint
