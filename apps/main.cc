// The program `cairn`: parse, run one command, exit code.
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/environment.h"
#include "base/faults.h"
#include "base/log.h"
#include "commands.h"
#include "device/cpu_facts.h"
#include "doors/clock.h"
#include "doors/file_system.h"

namespace cairn::apps {
namespace {

constexpr int kExitUsage = static_cast<int>(StatusCode::kUsage);
constexpr int kExitBug = static_cast<int>(StatusCode::kBug);

void add_commands(CLI::App& app, CommandContext& context) {
  add_config_command(app, context);
  add_plan_command(app, context);
  add_train_command(app, context);
  add_eval_command(app, context);
  add_generate_command(app, context);
  add_checkpoint_command(app, context);
  add_tokenizer_command(app, context);
  add_data_command(app, context);
  add_bench_command(app, context);
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

// What a mistyped command was probably meant to be.
std::string suggestion(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* level = &app;
  for (const std::string& word : words) {
    if (word.starts_with("-")) {
      continue;
    }
    std::vector<std::string> names;
    const CLI::App* next = nullptr;
    for (const CLI::App* command : level->get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(command->get_name());
      next = command->get_name() == word ? command : next;
    }
    if (next == nullptr) {
      return names.empty() ? "" : closest_match(word, names);
    }
    level = next;
  }
  return "";
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words,
                CommandContext& context) {
  context.err << "cairn: " << error.what() << '\n';
  const std::string near = suggestion(app, words);
  if (!near.empty()) {
    context.err << "  did you mean " << near << "?\n";
  }
  context.err << "  --help after any command explains it\n";
  return kExitUsage;
}

int run_program(const std::vector<std::string>& words) {
  const std::unique_ptr<FileSystem> files = make_real_file_system();
  const std::unique_ptr<Clock> clock = make_real_clock();
  const Environment environment = read_environment();
  const bool color = environment.is_error_terminal && !environment.no_color;
  DescriptorOutput error_output(2);
  HumanSink error_sink(error_output, color);
  Logger log([&clock] { return clock->wall_ns(); });
  log.add_sink(error_sink, LogLevel::kInfo);
  CommandContext context{
      *files, *clock, environment, log, std::cout, std::cerr, false, color, environment.is_error_terminal,
      {}};

  CLI::App app("Cairn trains large language models, on a laptop and on a supercomputer.", "cairn");
  app.set_version_flag("--version", CAIRN_VERSION);
  app.add_flag("--json", context.json, "Machine-readable results on standard output");
  app.require_subcommand(1);
  app.fallthrough();
  add_commands(app, context);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::Success& help_or_version) {
    static_cast<void>(app.exit(help_or_version, context.out, context.err));
    return report(ok_status(), context);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error, words, context);
  }
  CHECK(context.action != nullptr, "every command sets an action");
  const Status cpu = check_cpu_supports_build();
  return report(cpu.ok() ? context.action() : cpu, context);
}

}  // namespace

void add_set_option(CLI::App& command, std::vector<std::string>& overrides) {
  command
      .add_option("--set", overrides,
                  "Override one key of the run file: --set train.samples=1000, --set data.stage.0.seed=7")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

}  // namespace cairn::apps

int main(int argc, char** argv) {
  // The last catch: nothing of ours throws, so whatever arrives here is a bug or the end of memory.
  try {
    return cairn::apps::run_program(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::cerr << "cairn: bug: " << error.what() << '\n';
  } catch (...) {
    std::cerr << "cairn: bug: an unknown exception\n";
  }
  return cairn::apps::kExitBug;
}
