#include "checkpoint/retention.h"

#include <algorithm>
#include <utility>

#include "checkpoint/file_io.h"
#include "checkpoint/reader.h"
#include "checkpoint/writer.h"

namespace cairn::checkpoint {
namespace {

// Whatever the rules say: with two good ones, one may still turn out bad when it is needed.
constexpr std::int64_t kProtectedGood = 2;

}  // namespace

std::vector<std::int64_t> plan_retention(std::span<const RetentionCandidate> candidates,
                                         const RetentionRules& rules) {
  if (rules.keep_last == 0) {
    return {};
  }
  std::vector<RetentionCandidate> newest_first(candidates.begin(), candidates.end());
  std::stable_sort(newest_first.begin(), newest_first.end(),
                   [](const RetentionCandidate& a, const RetentionCandidate& b) { return a.step > b.step; });
  const std::int64_t keep_last = std::max(rules.keep_last, kProtectedGood);
  std::set<std::int64_t> kept;
  std::vector<std::int64_t> deleted;
  std::int64_t num_good = 0;
  for (const RetentionCandidate& candidate : newest_first) {
    const bool is_before_protected = num_good < kProtectedGood;
    const bool is_milestone =
        candidate.is_good && rules.keep_every > 0 && candidate.step % rules.keep_every == 0;
    const bool is_recent = candidate.is_good && num_good < keep_last;
    if (is_before_protected || is_milestone || is_recent) {
      kept.insert(candidate.step);
    } else {
      deleted.push_back(candidate.step);
    }
    num_good += candidate.is_good ? 1 : 0;
  }
  // Two folders may claim one step ("step-9" and "step-00000009"): what is kept protects the name.
  std::erase_if(deleted, [&](std::int64_t step) { return kept.contains(step); });
  std::reverse(deleted.begin(), deleted.end());
  deleted.erase(std::unique(deleted.begin(), deleted.end()), deleted.end());
  return deleted;
}

Retention::Retention(FileSystem& files, const RunFolder& run, RetentionRules rules)
    : files_(&files),
      checkpoints_path_(run.checkpoints_path()),
      run_id_(run.run_id()),
      attempt_(run.attempt()),
      rules_(rules) {}

Retention::Retention(FileSystem& files, std::string checkpoints_path, RetentionRules rules)
    : files_(&files), checkpoints_path_(std::move(checkpoints_path)), rules_(rules) {}

void Retention::mark_good(std::int64_t step) {
  good_.insert(step_folder_name(step));
}

Result<bool> Retention::is_good(const std::string& path) {
  const std::string name = file_name(path);
  if (!good_.contains(name) && !damaged_.contains(name)) {
    const Status status = verify_checkpoint(*files_, path, run_id_).status();
    // Nothing is deleted on the word of a disk that does not answer.
    if (!status.ok() && status.code() != StatusCode::kBadData) {
      return status;
    }
    (status.ok() ? good_ : damaged_).insert(name);
  }
  return good_.contains(name);
}

Result<std::vector<std::int64_t>> Retention::plan() {
  TRY_ASSIGN(const std::vector<StepFolder> steps, list_steps(*files_, checkpoints_path_));
  std::vector<RetentionCandidate> candidates;
  std::int64_t num_verified = 0;
  for (const StepFolder& folder : steps) {
    // Beyond those that must be good, a checkpoint is not read only to be kept or deleted.
    const bool must_know = num_verified < std::max(rules_.keep_last, kProtectedGood);
    bool good = !damaged_.contains(file_name(folder.path));
    if (must_know) {
      TRY_ASSIGN(good, is_good(folder.path));
    }
    num_verified += must_know && good ? 1 : 0;
    candidates.push_back({folder.step, good});
  }
  return plan_retention(candidates, rules_);
}

Result<std::vector<std::int64_t>> Retention::apply() {
  CHECK(attempt_ > 0, "deleting needs the run's lock");
  TRY_ASSIGN(const std::vector<std::int64_t> deleted, plan());
  if (deleted.empty()) {
    return deleted;
  }
  TRY_ASSIGN(const std::vector<StepFolder> steps, list_steps(*files_, checkpoints_path_));
  std::vector<std::string> doomed;
  for (const StepFolder& folder : steps) {
    if (!std::binary_search(deleted.begin(), deleted.end(), folder.step)) {
      continue;
    }
    const std::string suffix = "." + file_name(folder.path) + ".deleted";
    doomed.push_back(join_path(checkpoints_path_, temporary_folder_name(folder.step, attempt_, suffix)));
    TRY(naming(files_->rename(folder.path, doomed.back()), folder.path));
  }
  // Only when the new names are durable may contents go: else a crash could bring a half one back under its name.
  TRY(naming(files_->sync_directory(checkpoints_path_), checkpoints_path_));
  for (const std::string& path : doomed) {
    TRY(naming(files_->remove_tree(path), path));
  }
  return deleted;
}

}  // namespace cairn::checkpoint
