// The one place that reads environment variables: facts about the terminal and the launcher, never behaviour.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace cairn {

struct Environment {
  bool is_error_terminal = false;   // standard error is a terminal
  bool is_output_terminal = false;  // standard output is a terminal
  bool no_color = false;            // NO_COLOR is set and not empty, or TERM is "dumb"
  bool is_utf8 = false;             // LC_ALL, LC_CTYPE or LANG names UTF-8
  int terminal_width = 80;          // columns
  std::string host;
  std::int64_t process_id = 0;
  std::string user;  // empty when unknown

  // What a launcher said; nothing when there is none. One source is used for all of them.
  std::string launcher;  // "slurm", "openmpi", "pmi" or ""
  std::optional<int> global_rank;
  std::optional<int> world_size;
  std::optional<int> local_rank;
  std::string job_id;
};

// The value of a variable or nothing.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

// Facts of this process.
Environment read_environment();
// The part that comes from variables, from any lookup (tests pass a map).
void read_environment_variables(const EnvironmentLookup& lookup, Environment& environment);

}  // namespace cairn
