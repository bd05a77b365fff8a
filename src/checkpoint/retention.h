// Which checkpoints to keep and how to delete the others so that a crash at any point leaves no half checkpoint
// under a final name. Not thread-safe.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/run_folder.h"
#include "doors/file_system.h"

namespace cairn::checkpoint {

struct RetentionRules {
  std::int64_t keep_last = 2;   // newest good ones; 0 keeps all
  std::int64_t keep_every = 0;  // and every good one whose step is a multiple of this; 0: none
};

struct RetentionCandidate {
  std::int64_t step = 0;
  bool is_good = false;  // verified: read back, or written and confirmed by this process
};

// Steps to delete, oldest first. Pure. The newest two good ones (or the only one) are always kept, as is everything
// newer than them; damaged ones count for nothing and go once they are older than those two.
std::vector<std::int64_t> plan_retention(std::span<const RetentionCandidate> candidates,
                                         const RetentionRules& rules);

// Applies rules to one run; remembers what it has verified, so that each checkpoint is read at most once.
class Retention {
 public:
  Retention(FileSystem& files, const RunFolder& run, RetentionRules rules);
  // For plan() alone, of a run that somebody else may hold.
  Retention(FileSystem& files, std::string checkpoints_path, RetentionRules rules);

  // A step that this process has confirmed by writing it or has verified by reading it.
  void mark_good(std::int64_t step);
  // What apply() would delete. Verifies as far as needed; kIo when a checkpoint cannot be read.
  Result<std::vector<std::int64_t>> plan();
  // Each deletion: rename to a temporary name, sync of the parent, removal. Steps deleted, oldest first.
  Result<std::vector<std::int64_t>> apply();

 private:
  Result<bool> is_good(const std::string& path);

  FileSystem* files_;
  std::string checkpoints_path_;
  std::string run_id_;
  std::int64_t attempt_ = 0;
  RetentionRules rules_;
  std::set<std::string> good_;  // folder names
  std::set<std::string> damaged_;
};

}  // namespace cairn::checkpoint
