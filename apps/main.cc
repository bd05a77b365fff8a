// The program `cairn`: parse, run one command, exit code.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "base/log.h"
#include "commands.h"
#include "doors/clock.h"
#include "doors/file_system.h"

namespace cairn::apps {
namespace {

constexpr int kExitUsage = static_cast<int>(StatusCode::kUsage);
constexpr int kExitBug = static_cast<int>(StatusCode::kBug);

void add_commands(CLI::App& app, CommandContext& context) {
  add_config_command(app, context);
}

int report(const Status& status, CommandContext& context) {
  context.out.flush();
  if (status.ok() && !context.out) {
    context.err << "cairn: standard output could not be written\n";
    return static_cast<int>(StatusCode::kIo);
  }
  if (!status.ok()) {
    context.err << "cairn: " << status.message() << '\n';
  }
  return status.exit_code();
}

int run_program(int argc, char** argv) {
  const std::unique_ptr<FileSystem> files = make_real_file_system();
  const std::unique_ptr<Clock> clock = make_real_clock();
  const bool is_terminal = isatty(STDERR_FILENO) == 1;
  const char* no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): no thread runs yet
  const bool color = is_terminal && (no_color == nullptr || *no_color == '\0');
  Logger log(*clock);
  CommandContext context{*files, *clock, log, std::cout, std::cerr};
  context.color = color;
  context.is_interactive = is_terminal;

  CLI::App app("Cairn trains large language models, on a laptop and on a supercomputer.", "cairn");
  app.set_version_flag("--version", CAIRN_VERSION);
  app.add_flag("--json", context.json, "Machine-readable results on standard output");
  app.require_subcommand(1);
  app.fallthrough();
  add_commands(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, context.out, context.err) == 0 ? 0 : kExitUsage;
  }
  if (!context.action) {
    context.err << "cairn: this command has no action\n";
    return kExitBug;
  }
  return report(context.action(), context);
}

}  // namespace
}  // namespace cairn::apps

int main(int argc, char** argv) {
  // The last catch: nothing of ours throws, so whatever arrives here is a bug or the end of memory.
  try {
    return cairn::apps::run_program(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "cairn: bug: " << error.what() << '\n';
  } catch (...) {
    std::cerr << "cairn: bug: an unknown exception\n";
  }
  return cairn::apps::kExitBug;
}
