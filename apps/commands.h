// The registration scheme of the command line. One function per group of subcommands, each in its own
// *_command.cc; only those files and main.cc include CLI11. A command declares its options and hands its work
// to set_action(); main parses the whole line first, then runs the one action, prints its Status and turns it
// into the exit code.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "base/environment.h"
#include "base/log.h"
#include "base/status.h"
#include "doors/clock.h"
#include "doors/file_system.h"

namespace CLI {
class App;
}  // namespace CLI

namespace cairn::apps {

// What a command may reach, beyond its own options. Lives in main() for the whole process.
struct CommandContext {
  FileSystem& files;
  Clock& clock;
  const Environment& environment;
  Logger& log;                  // goes to standard error; never mixed with results
  std::ostream& out;            // results: text, or JSON with --json
  std::ostream& err;            // progress and questions
  bool json = false;            // --json was given: machine-readable results, no progress bar
  bool color = false;           // colours allowed: `err` is a terminal and NO_COLOR is unset
  bool is_interactive = false;  // `err` is a terminal: progress bars make sense
  std::function<Status()> action;

  // Called from a command's CLI11 callback. `work` runs after the whole line has been parsed.
  void set_action(std::function<Status()> work) { action = std::move(work); }
};

// Adds "--set key=value" (repeatable, one value each) to a command that reads a run file.
void add_set_option(CLI::App& command, std::vector<std::string>& overrides);

// Each adds its subcommands to `app`. `context` outlives the program's run; commands keep references to it.
void add_config_command(CLI::App& app, CommandContext& context);
void add_plan_command(CLI::App& app, CommandContext& context);
void add_train_command(CLI::App& app, CommandContext& context);
void add_eval_command(CLI::App& app, CommandContext& context);
void add_generate_command(CLI::App& app, CommandContext& context);
void add_checkpoint_command(CLI::App& app, CommandContext& context);
// `cairn checkpoint parity`; `checkpoint` is the group that add_checkpoint_command made.
void add_parity_command(CLI::App& checkpoint, CommandContext& context);
void add_tokenizer_command(CLI::App& app, CommandContext& context);
// `cairn tokenizer train` and `import`, and `inspect`; `tokenizer` is the group that add_tokenizer_command made.
void add_tokenizer_train_commands(CLI::App& tokenizer, CommandContext& context);
void add_tokenizer_inspect_command(CLI::App& tokenizer, CommandContext& context);
// `cairn bench step | gemm | attention | kernels | optimizer`.
void add_bench_command(CLI::App& app, CommandContext& context);
void add_data_command(CLI::App& app, CommandContext& context);
// `cairn data trace | audit | rehearse`; `data` is the group that add_data_command made.
void add_data_order_commands(CLI::App& data, CommandContext& context);
// `cairn data tokenize` and `filter`; `data` is the group that add_data_command made.
void add_data_tokenize_command(CLI::App& data, CommandContext& context);
void add_data_filter_command(CLI::App& data, CommandContext& context);

}  // namespace cairn::apps
