// RUN/: the folder of one training run. Holds the lock that keeps a second trainer out, creates the layout, keeps
// RUN/run.json (run id, attempt, newest confirmed step as a hint) and looks at the trigger files.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "doors/file_system.h"

namespace cairn::checkpoint {

inline constexpr std::string_view kRunJsonName = "run.json";

// Who opens the folder. Facts from the caller, so that a simulated start is the same every time.
struct Holder {
  std::string host;
  std::int64_t process_id = 0;
  std::int64_t start_unix_ns = 0;
};

enum class Trigger : std::uint8_t { kSave, kExit };  // RUN/triggers/save, RUN/triggers/exit

// Whether a trainer has trained in the run folder `path`: checkpoints or metrics are there. A start that was refused
// or failed leaves neither.
Result<bool> has_been_trained_in(FileSystem& files, const std::string& path);

class RunFolder {
 public:
  // Takes RUN/run.lock (creating RUN for it) and reads or makes the run id; writes nothing else. A damaged or missing run.json is rebuilt from the newest good manifest. `files` must outlive the folder.
  // kTransient: another live trainer holds the lock (the message names host and process).
  // kBadData: run.json is damaged and no checkpoint knows the run id.
  static Result<RunFolder> open(FileSystem& files, const std::string& path, const Holder& holder);

  // Creates the folders and counts this attempt in RUN/run.json, durably. Call once when it is decided that and where
  // the run goes on, before anything else is written into the folder.
  Status begin_attempt();

  const std::string& path() const { return path_; }
  const std::string& run_id() const { return run_id_; }
  std::int64_t attempt() const { return attempt_; }  // 1, 2, ...; fences temporary folders of the dead
  bool was_used() const { return was_used_; }        // a trainer has trained here before this attempt
  std::optional<std::int64_t> confirmed_step() const { return confirmed_step_; }  // a hint, never the truth

  std::string run_file_path() const;     // RUN/run.toml
  std::string checkpoints_path() const;  // RUN/checkpoints
  std::string metrics_path() const;      // RUN/metrics
  std::string tensorboard_path() const;  // RUN/tensorboard
  std::string cache_path() const;        // RUN/cache
  std::string log_path() const;          // RUN/logs/<attempt>

  Status write_run_file(std::string_view resolved_toml);  // replaces RUN/run.toml
  Status record_confirmed(std::int64_t step);             // after the commit; only a hint

  bool is_triggered(Trigger trigger) const;
  Status clear_trigger(Trigger trigger);  // ok when it is not there

 private:
  RunFolder() = default;
  Status write_run_json();

  FileSystem* files_ = nullptr;
  std::unique_ptr<FileLock> lock_;
  std::string path_;
  std::string run_id_;
  std::int64_t attempt_ = 0;
  bool was_used_ = false;
  bool has_begun_ = false;
  std::optional<std::int64_t> confirmed_step_;
};

}  // namespace cairn::checkpoint
