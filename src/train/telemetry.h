// Where the figures of a run go: RUN/metrics/{train,eval}.jsonl, RUN/tensorboard, the rank's log, and the console
// (a progress bar on a terminal, one line per step elsewhere). A figure that cannot be written never ends a run:
// it is warned about once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/progress.h"
#include "base/status.h"
#include "doors/file_system.h"
#include "doors/text_output.h"
#include "formats/tensorboard.h"
#include "train/step_record.h"

namespace cairn::train {

// One held-out data set at one step.
struct EvaluationRecord {
  double time_unix_s = 0;
  std::int64_t attempt = 0;
  std::int64_t step = 0;
  std::string set;              // name of the data set
  double loss = 0;              // nats/token, mean over predicted tokens
  double perplexity = 0;        // exp(loss)
  double accuracy = 0;          // share of predicted tokens whose logit is the largest
  std::int64_t num_tokens = 0;  // predicted tokens
};
std::string evaluation_record_to_json(const EvaluationRecord& record);

// Where people look while the run goes on.
struct Console {
  TextOutput* output = nullptr;  // nullptr: silent
  bool is_terminal = false;      // a progress bar instead of lines
  ProgressStyle style;
};

struct TelemetryOptions {
  std::string metrics_path;      // folder
  std::string tensorboard_path;  // folder; "" for none
  std::string log_file;          // "RUN/logs/1/rank-00000.log"
  std::string host;
  std::int64_t process_id = 0;
  std::int64_t log_every = 1;  // steps between lines; files get every step
  Console console;
};

class Telemetry {
 public:
  // Creates folders and opens the files for appending. `log` is told of files that cannot be written.
  static Result<std::unique_ptr<Telemetry>> open(FileSystem& files, Logger& log, std::int64_t wall_ns,
                                                 TelemetryOptions options);

  void record_step(const StepRecord& record, std::int64_t first_step, double elapsed_s);
  void record_evaluation(const EvaluationRecord& record);
  // A line for the log and the console, outside the stream of steps.
  void note(const std::string& line);
  // Records of `log` also go to the rank's log and, as JSON lines, to the file beside it (".jsonl"). `log` must not be
  // used after this is gone.
  void attach_files(Logger& log);
  // Makes what was written so far visible to readers.
  void flush();
  void close();

 private:
  Telemetry(Logger& log, TelemetryOptions options) : log_(log), options_(std::move(options)) {}
  void console_line(const std::string& line);
  void warn_once(const Status& status);

  Logger& log_;
  TelemetryOptions options_;
  std::unique_ptr<FileOutput> train_;
  std::unique_ptr<FileOutput> eval_;
  std::unique_ptr<FileOutput> rank_log_;
  std::unique_ptr<FileOutput> rank_records_;  // JSON lines
  std::unique_ptr<HumanSink> human_sink_;
  std::unique_ptr<JsonLinesSink> json_sink_;
  std::optional<TensorboardWriter> tensorboard_;
  bool is_bar_shown_ = false;
  bool has_warned_ = false;
};

}  // namespace cairn::train
