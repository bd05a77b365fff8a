#include "checkpoint/run_folder.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/faults.h"
#include "base/hash.h"
#include "checkpoint/file_io.h"
#include "checkpoint/json_fields.h"
#include "checkpoint/reader.h"

namespace cairn::checkpoint {
namespace {

constexpr std::string_view kLockName = "run.lock";
constexpr std::string_view kFormat = "cairn run";
constexpr int kVersion = 1;
constexpr std::array<std::string_view, 8> kFolders = {"checkpoints", "triggers", "logs", "metrics",
                                                      "tensorboard", "ledger",   "jobs", "cache"};

struct RunFacts {
  std::string run_id;
  std::int64_t attempt = 0;
  std::int64_t confirmed_step = -1;  // -1: none yet
};

std::string facts_to_json(const RunFacts& facts) {
  Json json = Json::object();
  json["format"] = kFormat;
  json["version"] = kVersion;
  json["run_id"] = facts.run_id;
  json["attempt"] = facts.attempt;
  json["newest_confirmed_step"] = facts.confirmed_step;
  return json_to_text(json, 2) + "\n";
}

Result<RunFacts> facts_from_json(std::string_view text) {
  TRY_ASSIGN(const Json json, parse_json(text, JsonLimits{}));
  Faults faults;
  FieldReader reader(&json, "", faults);
  reader.text("format");
  reader.integer("version", kVersion, kVersion);
  RunFacts facts;
  facts.run_id = reader.text("run_id");
  facts.attempt = reader.integer("attempt", 0);
  facts.confirmed_step = reader.integer("newest_confirmed_step", -1);
  reader.finish();
  if (facts.run_id.empty()) {
    faults.add("run_id", "", "is empty", "restore run.json or remove it");
  }
  TRY(faults.to_status(StatusCode::kBadData, kRunJsonName));
  return facts;
}

// The truth stands in the manifests: the newest readable one knows the run.
std::optional<RunFacts> facts_from_manifests(FileSystem& files, const std::string& checkpoints_path) {
  const auto steps = list_steps(files, checkpoints_path);
  std::optional<RunFacts> facts;
  if (!steps.ok()) {
    return facts;
  }
  for (const StepFolder& folder : *steps) {
    const auto manifest = read_manifest(files, folder.path, "");
    if (!manifest.ok()) {
      continue;
    }
    if (!facts) {
      facts = RunFacts{manifest->run_id, manifest->attempt, manifest->step};
    } else if (manifest->run_id == facts->run_id) {
      facts->attempt = std::max(facts->attempt, manifest->attempt);
    }
  }
  return facts;
}

std::string new_run_id(const Holder& holder, const std::string& path) {
  Hasher hasher;
  hasher.update(holder.host);
  hasher.update_uint64(static_cast<std::uint64_t>(holder.process_id));
  hasher.update_uint64(static_cast<std::uint64_t>(holder.start_unix_ns));
  hasher.update(path);
  constexpr std::size_t kRunIdDigits = 16;
  return hasher.digest().to_hex().substr(0, kRunIdDigits);
}

Result<RunFacts> find_facts(FileSystem& files, const std::string& path, const Holder& holder) {
  const std::string run_json = join_path(path, kRunJsonName);
  const std::string checkpoints = join_path(path, "checkpoints");
  Status damage;
  if (files.exists(run_json)) {
    auto facts = [&]() -> Result<RunFacts> {
      TRY_ASSIGN(const std::string text, read_small_file(files, run_json));
      return facts_from_json(text);
    }();
    if (facts.ok()) {
      return facts;
    }
    damage = facts.status();
  }
  if (auto facts = facts_from_manifests(files, checkpoints)) {
    return *facts;
  }
  if (!damage.ok()) {
    return bad_data(
        fmt::format("{}: {}; no checkpoint knows the run id either: remove the file to start anew", run_json,
                    damage.message()));
  }
  return RunFacts{new_run_id(holder, path), 0, -1};
}

}  // namespace

Result<bool> has_been_trained_in(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const std::vector<StepFolder> steps, list_steps(files, join_path(path, "checkpoints")));
  const std::string metrics = join_path(path, "metrics");
  if (!steps.empty() || !files.is_directory(metrics)) {
    return !steps.empty();
  }
  const auto names = files.list(metrics);
  if (!names.ok()) {
    return naming(names.status(), metrics);
  }
  for (const std::string& name : *names) {
    const std::string file = join_path(metrics, name);
    const auto opened = files.open(file);
    if (!opened.ok()) {
      return naming(opened.status(), file);
    }
    if ((*opened)->size() > 0) {  // an attempt that failed before its first step has left empty files
      return true;
    }
  }
  return false;
}

Result<RunFolder> RunFolder::open(FileSystem& files, const std::string& path, const Holder& holder) {
  TRY(make_durable_directories(files, path));
  RunFolder run;
  run.files_ = &files;
  run.path_ = path;
  auto lock = files.lock(
      join_path(path, kLockName),
      fmt::format("host {}, process {}, since {} ns", holder.host, holder.process_id, holder.start_unix_ns));
  if (!lock.ok()) {
    const bool is_held = lock.status().code() == StatusCode::kTransient;
    return is_held ? lock.status().with_context(fmt::format("{}: a trainer is already at work here", path))
                   : naming(lock.status(), join_path(path, kLockName));
  }
  run.lock_ = std::move(lock).value();
  TRY_ASSIGN(const RunFacts facts, find_facts(files, path, holder));
  TRY_ASSIGN(const bool is_trained, has_been_trained_in(files, path));
  run.was_used_ = is_trained || facts.confirmed_step >= 0;
  run.run_id_ = facts.run_id;
  run.attempt_ = facts.attempt + 1;
  if (facts.confirmed_step >= 0) {
    run.confirmed_step_ = facts.confirmed_step;
  }
  return run;
}

Status RunFolder::begin_attempt() {
  CHECK(!has_begun_, "an attempt begins once");
  for (const std::string_view folder : kFolders) {
    TRY(make_durable_directories(*files_, join_path(path_, folder)));
  }
  // Durable before anything is written under this attempt's number.
  TRY(write_run_json());
  has_begun_ = true;
  return ok_status();
}

std::string RunFolder::run_file_path() const {
  return join_path(path_, "run.toml");
}
std::string RunFolder::checkpoints_path() const {
  return join_path(path_, "checkpoints");
}
std::string RunFolder::metrics_path() const {
  return join_path(path_, "metrics");
}
std::string RunFolder::tensorboard_path() const {
  return join_path(path_, "tensorboard");
}
std::string RunFolder::cache_path() const {
  return join_path(path_, "cache");
}
std::string RunFolder::log_path() const {
  return join_path(path_, fmt::format("logs/{}", attempt_));
}

Status RunFolder::write_run_file(std::string_view resolved_toml) {
  return naming(files_->replace_text(run_file_path(), resolved_toml), run_file_path());
}

Status RunFolder::record_confirmed(std::int64_t step) {
  CHECK(has_begun_, "the attempt has not begun");
  confirmed_step_ = step;
  return write_run_json();
}

Status RunFolder::write_run_json() {
  const std::string path = join_path(path_, kRunJsonName);
  const std::string text = facts_to_json({run_id_, attempt_, confirmed_step_.value_or(-1)});
  return naming(files_->replace_text(path, text), path);
}

namespace {

std::string trigger_path(const std::string& run_path, Trigger trigger) {
  return join_path(run_path, trigger == Trigger::kSave ? "triggers/save" : "triggers/exit");
}

}  // namespace

bool RunFolder::is_triggered(Trigger trigger) const {
  return files_->exists(trigger_path(path_, trigger));
}

Status RunFolder::clear_trigger(Trigger trigger) {
  const std::string path = trigger_path(path_, trigger);
  return files_->exists(path) ? naming(files_->remove_file(path), path) : ok_status();
}

}  // namespace cairn::checkpoint
