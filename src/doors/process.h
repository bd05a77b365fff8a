// The door to other programs: run one, wait for it until a deadline, take what it wrote.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace cairn {

struct ProcessRequest {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH unless it has a slash. REQUIRES not empty
  std::string directory;          // "" = the current one
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours, replacing equal names
  std::string input;                                             // given on standard input, then end of file
  double timeout_s = 0;                     // REQUIRES > 0; at the deadline the whole process group is killed
  std::int64_t output_bytes_max = 1 << 20;  // per stream; what exceeds it is read and dropped
};

struct ProcessResult {
  int exit_code = 0;  // valid when signal is 0
  int signal = 0;     // the signal that ended it, or 0
  bool is_timed_out = false;
  bool is_truncated = false;  // some output was dropped
  std::string output;
  std::string error_output;
  bool is_success() const { return exit_code == 0 && signal == 0 && !is_timed_out; }
};

class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;
  // Returns when the process ended or was killed. A program that cannot be started is kNoInput; no process or
  // descriptor left is kTransient. An exit code other than 0 is a result, not an error.
  virtual Result<ProcessResult> run(const ProcessRequest& request) = 0;
};

std::unique_ptr<ProcessRunner> make_real_process_runner();

// Answers from a script of handlers, in the order they were added; the first whose argv[0] matches wins.
class SimProcessRunner : public ProcessRunner {
 public:
  using Handler = std::function<Result<ProcessResult>(const ProcessRequest&)>;
  void add_program(std::string name, Handler handler);
  Result<ProcessResult> run(const ProcessRequest& request) override;
  const std::vector<ProcessRequest>& requests() const { return requests_; }

 private:
  std::vector<std::pair<std::string, Handler>> programs_;
  std::vector<ProcessRequest> requests_;
};

}  // namespace cairn
