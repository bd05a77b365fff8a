// `cairn config`: explain, show and compare run files.
#include <CLI/CLI.hpp>

#include "commands.h"

namespace cairn::apps {

void add_config_command(CLI::App& app, CommandContext& context) {
  CLI::App* config = app.add_subcommand("config", "The run file: explain its keys, show it, compare two");
  config->require_subcommand(1);
  static_cast<void>(context);
}

}  // namespace cairn::apps
