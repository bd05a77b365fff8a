// Our GEMM against OpenBLAS on the same data, the two timed in turn, medians printed.
//   gemm_bench [threads] [repeats] [shape filter, e.g. 2048x3072x768]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <cblas.h>
#include <fmt/core.h>

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

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
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

// Median seconds of one call of ours and of OpenBLAS. Short calls are repeated inside one timing.
struct Timing {
  double ours_s, openblas_s;
};
Timing time_case(const OpContext& ctx, const Case& c, int repeats) {
  Operands data{random_floats(c.N * c.I, 1), random_floats(c.O * c.I, 2), random_floats(c.N * c.O, 3)};
  const auto ours = [&] { run_ours(ctx, c, data); };
  const auto openblas = [&] { run_openblas(c, data); };
  const double once = std::min(seconds_of(ours), seconds_of(openblas));
  const int inner = std::clamp(static_cast<int>(0.004 / once), 1, 1000);
  std::vector<double> ours_s;
  std::vector<double> openblas_s;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (int turn = 0; turn < 2; ++turn) {
      const bool is_ours = (turn + repeat) % 2 == 0;
      const double elapsed = seconds_of([&] {
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
  return {median(ours_s), median(openblas_s)};
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const int repeats = argc > 2 ? std::atoi(argv[2]) : 15;
  const std::string filter = argc > 3 ? argv[3] : "";
  if (threads < 1 || repeats < 1) {
    fmt::print(stderr, "gemm_bench [threads >= 1] [repeats >= 1] [shape filter]\n");
    return 64;
  }
  const cairn::Status supported = cairn::check_cpu_supports_build();
  if (!supported.ok()) {
    fmt::print(stderr, "{}\n", supported.message());
    return supported.exit_code();
  }
  openblas_set_num_threads(threads);
  cairn::ThreadPool pool(threads);
  auto arena = cairn::Arena::create(cairn::ops::workspace_bytes(threads));
  const OpContext ctx{pool, {arena->data(), {arena->num_bytes()}, cairn::DType::kUint8}};
  const double peak = cairn::measure_fma_peak_flops(pool) * 1e-9;
  fmt::print("compiled for {}, {} of {} cores, FMA peak {:.1f} GFLOP/s; OpenBLAS core {}\n",
             cairn::compiled_instruction_set(), threads, cairn::num_online_cores(), peak,
             openblas_get_corename());
  fmt::print("{:<20} {:>18} {:>10} {:>10} {:>7} {:>8}\n", "variant", "N x O x I", "ours", "OpenBLAS", "ratio",
             "of peak");
  std::vector<double> ratios;
  for (const Case& c : kCases) {
    const std::string shape = fmt::format("{}x{}x{}", c.N, c.O, c.I);
    if (shape.find(filter) == std::string::npos) {
      continue;
    }
    const Timing timing = time_case(ctx, c, repeats);
    const double gflop =
        2e-9 * static_cast<double>(c.N) * static_cast<double>(c.O) * static_cast<double>(c.I);
    const double ours = gflop / timing.ours_s;
    const double openblas = gflop / timing.openblas_s;
    ratios.push_back(ours / openblas);
    fmt::print("{:<20} {:>18} {:>10.1f} {:>10.1f} {:>7.3f} {:>7.1f}%\n", variant_name(c.variant), shape, ours,
               openblas, ours / openblas, 100.0 * ours / peak);
  }
  if (!ratios.empty()) {
    std::vector<double> sorted = ratios;
    fmt::print("ratio: median {:.3f}, least {:.3f}\n", median(sorted), sorted.front());
  }
  return 0;
}
