#include "checkpoint/reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/faults.h"
#include "base/text.h"
#include "checkpoint/file_io.h"
#include "checkpoint/tensor_files.h"

namespace cairn::checkpoint {

std::optional<std::int64_t> step_from_name(std::string_view name) {
  constexpr std::string_view kPrefix = "step-";
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(kPrefix.size());
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  return parse_int64(digits);
}

bool is_checkpoint_folder(FileSystem& files, const std::string& path) {
  return files.exists(join_path(path, kManifestName)) || step_from_name(file_name(path)).has_value();
}

Result<std::vector<StepFolder>> list_steps(FileSystem& files, const std::string& checkpoints_path) {
  std::vector<StepFolder> steps;
  if (!files.is_directory(checkpoints_path)) {
    return steps;
  }
  auto names = files.list(checkpoints_path);
  if (!names.ok()) {
    return naming(names.status(), checkpoints_path);
  }
  for (const std::string& name : *names) {
    if (const auto step = step_from_name(name)) {
      steps.push_back({*step, join_path(checkpoints_path, name)});
    }
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const StepFolder& a, const StepFolder& b) { return a.step > b.step; });
  return steps;
}

namespace {

// What cannot be read now may be whole all the same; everything else, a missing file included, is damage.
Status as_damage(const Status& status) {
  const bool may_be_whole = status.code() == StatusCode::kIo || status.code() == StatusCode::kTransient;
  return may_be_whole || status.ok() ? status : bad_data(status.message());
}

}  // namespace

Result<Manifest> read_manifest(FileSystem& files, const std::string& path, const std::string& run_id) {
  const std::string manifest_path = join_path(path, kManifestName);
  auto text = read_small_file(files, manifest_path);
  if (!text.ok()) {
    return as_damage(text.status());
  }
  auto manifest = manifest_from_json(*text);
  if (!manifest.ok()) {
    return naming(manifest.status(), manifest_path);
  }
  if (const auto step = step_from_name(file_name(path)); step && *step != manifest->step) {
    return bad_data(
        fmt::format("{}: the manifest is of step {}, the folder of another", manifest_path, manifest->step));
  }
  if (!run_id.empty() && manifest->run_id != run_id) {
    return bad_data(
        fmt::format("{}: the manifest is of run {}, not of run {}", manifest_path, manifest->run_id, run_id));
  }
  return manifest;
}

namespace {

Status verify_file(FileSystem& files, const std::string& folder, const Manifest& manifest,
                   const ManifestFile& file) {
  const std::string path = join_path(folder, file.name);
  {
    const auto opened = files.open(path);
    if (!opened.ok()) {
      return naming(opened.status(), path);
    }
    if ((*opened)->size() != file.num_bytes) {
      return bad_data(
          fmt::format("{}: {} bytes, the manifest says {}", path, (*opened)->size(), file.num_bytes));
    }
  }
  TRY_ASSIGN(const WrittenFile found,
             hash_file(files, path, file_hasher(manifest.run_id, manifest.step, file.name)));
  if (!(found.hash == file.hash)) {
    return bad_data(fmt::format("{}: the bytes do not match the checksum in the manifest", path));
  }
  return ok_status();
}

}  // namespace

Result<Manifest> verify_checkpoint(FileSystem& files, const std::string& path, const std::string& run_id) {
  TRY_ASSIGN(Manifest manifest, read_manifest(files, path, run_id));
  for (const ManifestFile& file : manifest.files) {
    TRY(as_damage(verify_file(files, path, manifest, file)));
  }
  return manifest;
}

Result<Search> find_newest_good(FileSystem& files, const std::string& checkpoints_path,
                                const std::string& run_id) {
  TRY_ASSIGN(const std::vector<StepFolder> steps, list_steps(files, checkpoints_path));
  Search search;
  for (const StepFolder& folder : steps) {
    auto manifest = verify_checkpoint(files, folder.path, run_id);
    if (manifest.ok()) {
      search.newest_good = FoundCheckpoint{folder, std::move(manifest).value()};
      return search;
    }
    // Only damage is passed over: a disk that does not answer now must not cost the steps since an older checkpoint.
    if (manifest.status().code() != StatusCode::kBadData) {
      return naming(manifest.status(), folder.path);
    }
    search.damaged.push_back({folder.path, manifest.status().message()});
  }
  return search;
}

namespace {

Status none_readable(const std::string& checkpoints_path, const std::vector<Damage>& damaged) {
  std::string message = fmt::format(
      "{}: confirmed steps exist but none is readable; starting over would lose the run", checkpoints_path);
  for (const Damage& damage : damaged) {
    message += fmt::format("\n  {}", damage.reason);
  }
  message += "\n  restore a checkpoint, or name another [run] folder to start anew";
  return bad_data(std::move(message));
}

StartDecision resume_from(Search search) {
  StartDecision decision;
  decision.kind = StartKind::kResume;
  decision.path = search.newest_good->folder.path;
  decision.step = search.newest_good->folder.step;
  decision.damaged = std::move(search.damaged);
  return decision;
}

// The newest good checkpoint of the run's own, nothing when it has none yet.
Result<std::optional<StartDecision>> resume_own(FileSystem& files, const RunFolder& run) {
  const std::string checkpoints = run.checkpoints_path();
  TRY_ASSIGN(Search search, find_newest_good(files, checkpoints, run.run_id()));
  if (!search.newest_good) {
    if (!search.damaged.empty()) {
      return none_readable(checkpoints, search.damaged);
    }
    if (run.confirmed_step()) {
      return none_readable(
          checkpoints, {{checkpoints, fmt::format("run.json says that step {} was confirmed, but the folder "
                                                  "holds no checkpoint",
                                                  *run.confirmed_step())}});
    }
    return std::optional<StartDecision>();
  }
  StartDecision decision = resume_from(std::move(search));
  if (run.confirmed_step() && *run.confirmed_step() > decision.step) {
    decision.note = fmt::format("run.json says that step {} was confirmed; the newest readable one is {}",
                                *run.confirmed_step(), decision.step);
  }
  return std::optional<StartDecision>(std::move(decision));
}

bool is_same_folder(std::string_view a, std::string_view b) {
  while (a.size() > 1 && a.back() == '/') {
    a.remove_suffix(1);
  }
  while (b.size() > 1 && b.back() == '/') {
    b.remove_suffix(1);
  }
  return a == b;
}

// A checkpoint of this very run: a deliberate choice, honoured only if it does not fork the run's history.
Result<StartDecision> start_from_own_step(FileSystem& files, const RunFolder& run, const std::string& path) {
  TRY_ASSIGN(const Manifest manifest, verify_checkpoint(files, path, run.run_id()));
  TRY_ASSIGN(const std::vector<StepFolder> steps, list_steps(files, run.checkpoints_path()));
  if (!steps.empty() && steps.front().step > manifest.step) {
    return bad_config(fmt::format(
        "checkpoint.load names step {}, but the run has step {} already; move the newer checkpoints "
        "away to go back, or use another run folder",
        manifest.step, steps.front().step));
  }
  StartDecision decision;
  decision.kind = StartKind::kResume;
  decision.path = path;
  decision.step = manifest.step;
  return decision;
}

Status refuse_fresh(const std::string& run_path) {
  return bad_config(fmt::format(
      "checkpoint.load = \"fresh\" refuses the used folder {}; use \"auto\" to go on with it, or name "
      "another [run] folder",
      run_path));
}

Status missing_path(const std::string& path) {
  return no_input(fmt::format("checkpoint.load: {} is no folder", path));
}

// Resolves a run folder, a checkpoint folder or a model folder.
Result<StartDecision> start_from_path(FileSystem& files, const StartRequest& request) {
  const std::string& path = request.path;
  if (!files.is_directory(path)) {
    return missing_path(path);
  }
  StartDecision decision;
  if (files.is_directory(join_path(path, "checkpoints"))) {
    const std::string checkpoints = join_path(path, "checkpoints");
    TRY_ASSIGN(Search search, find_newest_good(files, checkpoints, ""));
    if (!search.newest_good) {
      return search.damaged.empty() ? no_input(fmt::format("{} holds no checkpoint", checkpoints))
                                    : none_readable(checkpoints, search.damaged);
    }
    decision = resume_from(std::move(search));
  } else if (is_checkpoint_folder(files, path)) {
    TRY_ASSIGN(const Manifest manifest, verify_checkpoint(files, path, ""));
    decision.kind = StartKind::kResume;
    decision.path = path;
    decision.step = manifest.step;
  } else if (!request.weights_only) {
    return bad_config(
        fmt::format("checkpoint.load: {} has weights only, no training state to resume from; load it through "
                    "model.from instead",
                    path));
  } else {
    TRY_ASSIGN(const HfFolder folder, HfFolder::open(files, path));
    decision.path = folder.path();
  }
  if (request.weights_only) {
    decision.kind = StartKind::kWeightsOnly;
    decision.step = 0;
  }
  return decision;
}

}  // namespace

Status check_start(FileSystem& files, const std::string& run_path, const StartRequest& request) {
  if (request.mode == LoadMode::kFresh) {
    TRY_ASSIGN(const bool is_used, has_been_trained_in(files, run_path));
    return is_used ? refuse_fresh(run_path) : ok_status();
  }
  if (request.mode == LoadMode::kPath && !files.is_directory(request.path)) {
    TRY_ASSIGN(const std::vector<StepFolder> own, list_steps(files, join_path(run_path, "checkpoints")));
    const bool has_own = !own.empty() || files.exists(join_path(run_path, kRunJsonName));
    return has_own ? ok_status() : missing_path(request.path);
  }
  return ok_status();
}

Result<StartDecision> decide_start(FileSystem& files, const RunFolder& run, const StartRequest& request) {
  if (request.mode == LoadMode::kFresh) {
    return run.was_used() ? Result<StartDecision>(refuse_fresh(run.path())) : StartDecision{};
  }
  const bool is_own_step =
      request.mode == LoadMode::kPath && is_same_folder(parent_path(request.path), run.checkpoints_path());
  if (is_own_step && !request.weights_only) {
    return start_from_own_step(files, run, request.path);
  }
  TRY_ASSIGN(std::optional<StartDecision> own, resume_own(files, run));
  if (own) {
    if (request.mode == LoadMode::kPath && !is_same_folder(request.path, run.path())) {
      own->note =
          fmt::format("checkpoint.load = \"{}\" was the start of this run; it goes on from its own step {}",
                      request.path, own->step);
    }
    return *own;
  }
  return request.mode == LoadMode::kPath ? start_from_path(files, request) : StartDecision{};
}

Result<TrainState> read_train_state(FileSystem& files, const std::string& path) {
  const std::string state_path = join_path(path, "training/state.json");
  TRY_ASSIGN(const std::string text, read_small_file(files, state_path));
  auto state = train_state_from_json(text);
  return state.ok() ? std::move(state) : naming(state.status(), state_path);
}

namespace {

// The files of one group: model.safetensors or model-*.safetensors, training/exp_avg-*.safetensors.
bool is_in_group(std::string_view name, std::string_view group) {
  if (!name.starts_with(group) || !name.ends_with(".safetensors")) {
    return false;
  }
  const std::string_view rest = name.substr(group.size());
  return rest == ".safetensors" || rest.starts_with("-");
}

}  // namespace

Result<TensorSet> open_tensors(FileSystem& files, const std::string& path, const Manifest& manifest,
                               const std::string& group) {
  const std::string stem = group == "weights" ? manifest.master : "training/" + group;
  Faults faults;
  TensorSet set;
  for (const ManifestFile& file : manifest.files) {
    if (is_in_group(file.name, stem)) {
      TRY(set.add_file(files, path, file.name, faults));
    }
  }
  TRY(faults.to_status(StatusCode::kBadData, path));
  return set;
}

namespace {

Status check_moment_names(const Manifest& manifest, std::span<const MomentTargets> moments, Faults& faults) {
  for (const MomentTargets& moment : moments) {
    if (std::find(manifest.moments.begin(), manifest.moments.end(), moment.moment) ==
        manifest.moments.end()) {
      faults.add(fmt::format("moment '{}'", moment.moment), "", "is missing",
                 "resume with the optimizer that saved the checkpoint, or load weights only");
    }
  }
  for (const std::string& saved : manifest.moments) {
    if (std::none_of(moments.begin(), moments.end(),
                     [&](const MomentTargets& moment) { return moment.moment == saved; })) {
      faults.add(fmt::format("moment '{}'", saved), "", "is not part of this optimizer",
                 "resume with the optimizer that saved the checkpoint, or load weights only");
    }
  }
  return faults.to_status(StatusCode::kBadData, "moments");
}

Status restore(FileSystem& files, const std::string& path, const Manifest& manifest,
               std::span<const NamedTarget> weights, std::span<const nn::Buffer> buffers,
               std::span<const MomentTargets> moments) {
  Faults faults;
  std::vector<TensorSet> sets;
  TRY_ASSIGN(TensorSet master, open_tensors(files, path, manifest, "weights"));
  check_targets(master, weights, buffers, manifest.master == "model" ? Extras::kModel : Extras::kNone,
                faults);
  for (const MomentTargets& moment : moments) {
    TRY_ASSIGN(TensorSet set, open_tensors(files, path, manifest, moment.moment));
    check_targets(set, moment.targets, {}, Extras::kNone, faults);
    sets.push_back(std::move(set));
  }
  TRY(faults.to_status(StatusCode::kBadData, path));
  TRY(read_targets(master, weights));
  for (std::size_t i = 0; i < moments.size(); ++i) {
    TRY(read_targets(sets[i], moments[i].targets));
  }
  return ok_status();
}

}  // namespace

Status restore_tensors(FileSystem& files, const std::string& path, std::span<const NamedTarget> weights,
                       std::span<const nn::Buffer> buffers, std::span<const MomentTargets> moments) {
  TRY_ASSIGN(const Manifest manifest, read_manifest(files, path, ""));
  Faults faults;
  TRY(check_moment_names(manifest, moments, faults).with_context(path));
  return restore(files, path, manifest, weights, buffers, moments);
}

Status restore_weights(FileSystem& files, const std::string& path, std::span<const NamedTarget> weights,
                       std::span<const nn::Buffer> buffers) {
  if (!is_checkpoint_folder(files, path)) {
    TRY_ASSIGN(const HfFolder folder, HfFolder::open(files, path));
    return load_tensors(folder, weights, buffers);
  }
  TRY_ASSIGN(const Manifest manifest, verify_checkpoint(files, path, ""));
  return restore(files, path, manifest, weights, buffers, {});
}

Status load_initial_weights(FileSystem& files, const std::string& path,
                            std::span<const nn::Parameter> parameters, std::span<const nn::Buffer> buffers,
                            const Memory& memory) {
  return restore_weights(files, path, weight_targets(parameters, memory), buffers);
}

}  // namespace cairn::checkpoint
