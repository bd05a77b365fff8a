// cairn train RUN.toml [--set key=value ...]
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "base/log.h"
#include "commands.h"
#include "doors/clock.h"
#include "doors/signals.h"
#include "train/run_config.h"
#include "train/trainer.h"

namespace cairn::apps {
namespace {

struct TrainOptions {
  std::string run_file;
  std::vector<std::string> overrides;
};

checkpoint::Holder this_process(Clock& clock) {
  std::string host(256, '\0');
  if (gethostname(host.data(), host.size() - 1) != 0) {
    host = "unknown";
  }
  host.resize(host.find('\0') == std::string::npos ? host.size() : host.find('\0'));
  return {host, getpid(), clock.wall_ns()};
}

Status train(const TrainOptions& options, CommandContext& context) {
  TRY_ASSIGN(const train::RunConfig config,
             train::load_run_config(context.files, options.run_file, options.overrides));
  TRY_ASSIGN(const std::unique_ptr<Signals> signals, install_real_signals());
  DescriptorOutput console(STDERR_FILENO);
  train::TrainerDoors doors{
      context.files, context.clock, *signals, context.log, this_process(context.clock), {}};
  doors.console.output = &console;
  doors.console.is_terminal = context.is_interactive && !context.json;
  doors.console.style.use_color = context.color;
  TRY_ASSIGN(const std::unique_ptr<train::Trainer> trainer, train::Trainer::open(config, doors));
  return trainer->run();
}

}  // namespace

void add_train_command(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = app.add_subcommand(
      "train",
      "Pre-train, continue or resume: repeats safely, goes on from the newest good checkpoint.\n"
      "SIGTERM, SIGINT and SIGUSR2 save after the current step and end with exit code 10;\n"
      "so does a file RUN/triggers/exit. A file RUN/triggers/save saves and goes on.");
  command->add_option("run", options->run_file, "The run file")->required()->type_name("RUN.toml");
  add_set_option(*command, options->overrides);
  command->callback(
      [options, &context] { context.set_action([options, &context] { return train(*options, context); }); });
}

}  // namespace cairn::apps
