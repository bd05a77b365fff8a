// `cairn bench step | gemm | attention | kernels | optimizer`: how fast this machine runs the program.
#include <CLI/CLI.hpp>

#include "bench_support.h"
#include "commands.h"

namespace cairn::apps {

void add_bench_command(CLI::App& app, CommandContext& context) {
  CLI::App* bench = app.add_subcommand("bench", "Time training steps and their parts on this machine");
  bench->require_subcommand(1);
  add_bench_step_command(*bench, context);
  add_bench_gemm_command(*bench, context);
  add_bench_attention_command(*bench, context);
  add_bench_kernels_command(*bench, context);
  add_bench_optimizer_command(*bench, context);
}

}  // namespace cairn::apps
