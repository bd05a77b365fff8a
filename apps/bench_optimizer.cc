// `cairn bench optimizer`: one update of AdamW and of AdEMAMix, and the gradient norm before it, per billion parameters.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench_support.h"
#include "optim/adamw.h"
#include "optim/ademamix.h"
#include "optim/clip.h"

namespace cairn::apps {
namespace {

struct OptimizerOptions : BenchOptions {
  std::int64_t parameters = 0;  // not given: a billion on a GPU, 80 million on the CPU
};

// Matrices of a layer's sizes, as many as make up the number.
std::vector<optim::OptimParameter> declare(std::int64_t num_parameters, DType compute, Plan& plan) {
  constexpr std::int64_t kElements = std::int64_t{80} << 20;
  std::vector<optim::OptimParameter> parameters;
  for (std::int64_t i = 0; i * kElements < num_parameters; ++i) {
    const Shape shape{kElements / 2048, 2048};
    const std::string name = fmt::format("matrix {}", i);
    optim::OptimParameter parameter{name, shape, {}, {}, {}};
    parameter.weight = plan.add({name, shape, DType::kFloat32, Lifetime::kParameter});
    parameter.gradient = plan.add({name, shape, DType::kFloat32, Lifetime::kGradient});
    if (compute != DType::kFloat32) {
      parameter.compute = plan.add({name + ", rounded", shape, compute, Lifetime::kParameter});
    }
    parameters.push_back(parameter);
  }
  return parameters;
}

template <class Kind, class Config>
Status measure(const std::string& name, const OptimizerOptions& options, BenchBed& bed,
               optim::StatePlace place, BenchTable& table) {
  const std::int64_t wanted = options.parameters > 0 ? options.parameters
                              : options.is_on_gpu()  ? 1'000'000'000
                                                     : 80'000'000;
  Plan plan;
  const std::vector<optim::OptimParameter> parameters = declare(wanted, options.compute(), plan);
  Kind optimizer(Config{}, parameters, plan, place);
  optim::GradientClip clip(1.0, parameters, plan, options.is_on_gpu() ? DeviceKind::kCuda : DeviceKind::kCpu);
  plan.seal(1);
  const Result<Memory> memory =
      options.is_on_gpu() ? Memory::create_on(*bed.device(), plan) : Memory::create(plan);
  TRY(memory.status());
  optimizer.bind(*memory, bed.pool());
  clip.bind(*memory, bed.pool());
  std::int64_t count = 0;
  for (const optim::OptimParameter& parameter : parameters) {
    count += parameter.shape.num_elements();
  }
  const double billions = static_cast<double>(count) * 1e-9;
  std::int64_t t = 0;
  // Gradients are zero: the time of an update does not depend on them.
  const double norm_s = bed.median_s([&] { clip.measure(); });
  const double update_s = bed.median_s([&] { optimizer.step(++t, 1e-4, 1.0); });
  table.add(name, {update_s * 1e3 / billions, norm_s * 1e3 / billions});
  return ok_status();
}

Status run(const OptimizerOptions& options, CommandContext& context) {
  TRY_ASSIGN(const std::unique_ptr<BenchBed> bed, BenchBed::open(options, 1 << 20));
  BenchTable table({"ms per 1e9", "norm"});
  using optim::StatePlace;
  const StatePlace device = StatePlace::kDevice;
  TRY((measure<optim::AdamW, optim::AdamWConfig>("adamw", options, *bed, device, table)));
  TRY((measure<optim::Ademamix, optim::AdemamixConfig>("ademamix", options, *bed, device, table)));
  if (options.is_on_gpu()) {
    const StatePlace host = StatePlace::kHost;
    TRY((measure<optim::AdamW, optim::AdamWConfig>("adamw, state on the host", options, *bed, host, table)));
    TRY((measure<optim::Ademamix, optim::AdemamixConfig>("ademamix, state on the host", options, *bed, host,
                                                         table)));
  }
  table.print(context);
  return ok_status();
}

}  // namespace

void add_bench_optimizer_command(CLI::App& bench, CommandContext& context) {
  const auto options = std::make_shared<OptimizerOptions>();
  CLI::App* command =
      bench.add_subcommand("optimizer", "Updates of AdamW and AdEMAMix, and the gradient norm");
  add_bench_options(*command, *options);
  command->add_option("--parameters", options->parameters, "How many, rounded up to whole matrices")
      ->check(CLI::PositiveNumber);
  command->callback(
      [options, &context] { context.set_action([options, &context] { return run(*options, context); }); });
}

}  // namespace cairn::apps
