// Our GEMM against OpenBLAS on the same data, the two timed in turn, medians and bests printed.
//   gemm_bench [--clock wall|cpu] [threads] [repeats] [filter, e.g. 2048x3072x768 or "TN backward_weight"]
// The cpu clock counts the time of this process alone, so that other work on the machine weighs less; it adds
// up threads and counts their waiting, so it is for one thread. With more, set OPENBLAS_THREAD_TIMEOUT=16: by
// default its threads spin for milliseconds after a call and take cores from what is timed next.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <cblas.h>
#include <fmt/core.h>
#include <time.h>

#include "device/cpu_facts.h"
#include "device/memory.h"
#include "ops/gemm.h"

namespace {

using cairn::ops::OpContext;
using cairn::ops::WriteMode;

enum class Variant { kForward, kBackwardInput, kBackwardWeight };

// N rows (tokens), O outputs, I inputs of a linear layer.
struct Case {
  Variant variant;
  std::int64_t N, O, I;
};

constexpr Case kCases[] = {
    {Variant::kForward, 256, 768, 768},
    {Variant::kForward, 256, 2304, 768},
    {Variant::kForward, 256, 3072, 768},
    {Variant::kForward, 256, 768, 3072},
    {Variant::kForward, 2048, 768, 768},
    {Variant::kForward, 2048, 3072, 768},
    {Variant::kForward, 256, 50304, 768},
    {Variant::kForward, 128, 512, 512},
    {Variant::kForward, 512, 64, 512},
    {Variant::kForward, 1024, 1024, 1024},
    {Variant::kForward, 2048, 2048, 2048},
    {Variant::kForward, 1, 768, 768},
    {Variant::kForward, 1, 50304, 768},
    {Variant::kBackwardInput, 1, 50304, 768},
    {Variant::kBackwardInput, 256, 768, 768},
    {Variant::kBackwardInput, 256, 3072, 768},
    {Variant::kBackwardInput, 256, 768, 3072},
    {Variant::kBackwardInput, 2048, 3072, 768},
    {Variant::kBackwardInput, 256, 50304, 768},
    {Variant::kBackwardInput, 1024, 1024, 1024},
    {Variant::kBackwardInput, 2048, 2048, 2048},
    {Variant::kBackwardWeight, 256, 768, 768},
    {Variant::kBackwardWeight, 256, 3072, 768},
    {Variant::kBackwardWeight, 2048, 768, 768},
    {Variant::kBackwardWeight, 2048, 3072, 768},
    {Variant::kBackwardWeight, 256, 50304, 768},
    {Variant::kBackwardWeight, 1024, 1024, 1024},
    {Variant::kBackwardWeight, 2048, 2048, 2048},
};

const char* variant_name(Variant variant) {
  switch (variant) {
    case Variant::kForward:
      return "NT forward";
    case Variant::kBackwardInput:
      return "NN backward_input";
    case Variant::kBackwardWeight:
      return "TN backward_weight";
  }
  return "";
}

double now_s(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds_of(clockid_t clock, const std::function<void()>& body) {
  const double start = now_s(clock);
  body();
  return now_s(clock) - start;
}

// Of the seconds of one call.
struct Summary {
  double median, best;
};
Summary summary_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front()};
}

std::vector<float> random_floats(std::int64_t count, std::uint32_t seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(seed >> 8) * 0x1p-24F - 0.5F;
  }
  return values;
}

struct Operands {
  std::vector<float> x_NI, w_OI, y_NO;
};

void run_ours(const OpContext& ctx, const Case& c, Operands& data) {
  const auto x = cairn::make_view(std::span(data.x_NI), {c.N, c.I});
  const auto w = cairn::make_view(std::span(data.w_OI), {c.O, c.I});
  const auto y = cairn::make_view(std::span(data.y_NO), {c.N, c.O});
  switch (c.variant) {
    case Variant::kForward:
      linear_forward(ctx, y, x, w, WriteMode::kOverwrite);
      return;
    case Variant::kBackwardInput:
      linear_backward_input(ctx, x, y, w, WriteMode::kOverwrite);
      return;
    case Variant::kBackwardWeight:
      linear_backward_weight(ctx, w, y, x);
      return;
  }
}

void run_openblas(const Case& c, Operands& data) {
  const int N = static_cast<int>(c.N);
  const int O = static_cast<int>(c.O);
  const int I = static_cast<int>(c.I);
  float* x = data.x_NI.data();
  float* w = data.w_OI.data();
  float* y = data.y_NO.data();
  switch (c.variant) {
    case Variant::kForward:
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, O, I, 1.0F, x, I, w, I, 0.0F, y, O);
      return;
    case Variant::kBackwardInput:
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, I, O, 1.0F, y, O, w, I, 0.0F, x, I);
      return;
    case Variant::kBackwardWeight:
      cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, O, I, N, 1.0F, y, O, x, I, 1.0F, w, I);
      return;
  }
}

// Short calls are repeated inside one timing.
struct Timing {
  Summary ours, openblas;
};
Timing time_case(const OpContext& ctx, const Case& c, clockid_t clock, int repeats) {
  Operands data{random_floats(c.N * c.I, 1), random_floats(c.O * c.I, 2), random_floats(c.N * c.O, 3)};
  const auto ours = [&] { run_ours(ctx, c, data); };
  const auto openblas = [&] { run_openblas(c, data); };
  const double once = std::min(seconds_of(clock, ours), seconds_of(clock, openblas));
  const int inner = static_cast<int>(std::clamp(0.004 / once, 1.0, 1000.0));
  std::vector<double> ours_s;
  std::vector<double> openblas_s;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (int turn = 0; turn < 2; ++turn) {
      const bool is_ours = (turn + repeat) % 2 == 0;
      const double elapsed = seconds_of(clock, [&] {
        for (int i = 0; i < inner; ++i) {
          is_ours ? ours() : openblas();
        }
      });
      (is_ours ? ours_s : openblas_s).push_back(elapsed / inner);
    }
    // The weight gradient adds: start again before it grows without bound.
    if (c.variant == Variant::kBackwardWeight) {
      std::fill(data.w_OI.begin(), data.w_OI.end(), 0.0F);
    }
  }
  return {summary_of(std::move(ours_s)), summary_of(std::move(openblas_s))};
}

struct Options {
  clockid_t clock = CLOCK_MONOTONIC;
  int threads = 1;
  int repeats = 15;
  std::string filter;
};
std::optional<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  std::vector<std::string> positional;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] != "--clock") {
      positional.push_back(arguments[i]);
      continue;
    }
    ++i;
    if (i == arguments.size() || (arguments[i] != "wall" && arguments[i] != "cpu")) {
      return std::nullopt;
    }
    options.clock = arguments[i] == "cpu" ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
  }
  positional.resize(std::max<std::size_t>(positional.size(), 3));
  options.threads = positional[0].empty() ? options.threads : std::atoi(positional[0].c_str());
  options.repeats = positional[1].empty() ? options.repeats : std::atoi(positional[1].c_str());
  options.filter = positional[2];
  if (positional.size() > 3 || options.threads < 1 || options.repeats < 1) {
    return std::nullopt;
  }
  return options;
}

// Ratios of the medians and of the bests of each case that the filter names.
struct Ratios {
  std::vector<double> median, best;
};
Ratios compare_all(const OpContext& ctx, const Options& options, double peak_gflops) {
  fmt::print("{:<18} {:>13} {:>9} {:>9} {:>7} {:>8} {:>11}\n", "variant", "N x O x I", "ours", "OpenBLAS",
             "ratio", "of peak", "best ratio");
  Ratios ratios;
  for (const Case& c : kCases) {
    const std::string shape = fmt::format("{}x{}x{}", c.N, c.O, c.I);
    if (fmt::format("{} {}", variant_name(c.variant), shape).find(options.filter) == std::string::npos) {
      continue;
    }
    const Timing timing = time_case(ctx, c, options.clock, options.repeats);
    const double gflop =
        2e-9 * static_cast<double>(c.N) * static_cast<double>(c.O) * static_cast<double>(c.I);
    const double ours = gflop / timing.ours.median;
    const double openblas = gflop / timing.openblas.median;
    ratios.median.push_back(ours / openblas);
    ratios.best.push_back(timing.openblas.best / timing.ours.best);
    fmt::print("{:<18} {:>13} {:>9.1f} {:>9.1f} {:>7.3f} {:>7.1f}% {:>11.3f}\n", variant_name(c.variant),
               shape, ours, openblas, ratios.median.back(), 100.0 * ours / peak_gflops, ratios.best.back());
  }
  return ratios;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Options> options = parse_options({argv + 1, argv + argc});
  if (!options) {
    fmt::print(stderr, "gemm_bench [--clock wall|cpu] [threads >= 1] [repeats >= 1] [filter]\n");
    return 64;
  }
  const cairn::Status supported = cairn::check_cpu_supports_build();
  if (!supported.ok()) {
    fmt::print(stderr, "{}\n", supported.message());
    return supported.exit_code();
  }
  openblas_set_num_threads(options->threads);
  cairn::ThreadPool pool(options->threads);
  auto arena = cairn::Arena::create(cairn::ops::workspace_bytes(options->threads));
  const OpContext ctx{pool, {arena->data(), {arena->num_bytes()}, cairn::DType::kUint8}};
  const double peak = cairn::measure_fma_peak_flops(pool) * 1e-9;
  fmt::print("compiled for {}, {} of {} cores, {} clock, FMA peak {:.1f} GFLOP/s; OpenBLAS core {}\n",
             cairn::compiled_instruction_set(), options->threads, cairn::num_usable_cpus(),
             options->clock == CLOCK_MONOTONIC ? "wall" : "cpu", peak, openblas_get_corename());
  const Ratios ratios = compare_all(ctx, *options, peak);
  if (!ratios.median.empty()) {
    const Summary median = summary_of(ratios.median);
    const Summary best = summary_of(ratios.best);
    fmt::print("ratio: median {:.3f}, least {:.3f}; of bests: median {:.3f}, least {:.3f}\n", median.median,
               median.best, best.median, best.best);
  }
  return 0;
}
