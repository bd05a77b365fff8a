// Attention forward and backward: medians, GFLOP/s with causal attention counted half, share of the FMA peak.
//   attention_bench [threads] [repeats]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "device/cpu_facts.h"
#include "device/memory.h"
#include "ops/attention.h"

namespace {

using cairn::Shape;
using cairn::ops::AttentionDims;
using cairn::ops::OpContext;

struct Case {
  std::int64_t B, T, H, G, C;
  std::int64_t query_offset;
};

constexpr Case kCases[] = {
    {4, 64, 12, 12, 64, 0},   {4, 512, 12, 12, 64, 0},  {1, 2048, 32, 32, 128, 0},
    {1, 2048, 32, 8, 128, 0}, {1, 1, 32, 8, 128, 2047}, {1, 1, 12, 12, 64, 511},
};

double median_seconds(int repeats, const std::function<void()>& body) {
  std::vector<double> seconds;
  for (int i = 0; i <= repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  seconds.erase(seconds.begin());  // the first run touches the memory
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

std::vector<float> random_floats(std::int64_t count, std::uint32_t seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(seed >> 8) * 0x1p-23F - 1.0F;
  }
  return values;
}

struct Tensors {
  Shape shape_q, shape_k, shape_row;
  std::vector<float> q, k, v, o, d_o, dq, dk, dv, lse, delta;

  explicit Tensors(const AttentionDims& dims)
      : shape_q{dims.B, dims.T, dims.H, dims.C},
        shape_k{dims.B, dims.S, dims.G, dims.C},
        shape_row{dims.B, dims.H, dims.T},
        q(random_floats(shape_q.num_elements(), 1)),
        k(random_floats(shape_k.num_elements(), 2)),
        v(random_floats(shape_k.num_elements(), 3)),
        o(q.size()),
        d_o(random_floats(shape_q.num_elements(), 4)),
        dq(q.size()),
        dk(k.size()),
        dv(k.size()),
        lse(static_cast<std::size_t>(shape_row.num_elements())),
        delta(lse.size()) {}
};

cairn::TensorView view(std::vector<float>& values, const Shape& shape) {
  return cairn::make_view(std::span(values), shape);
}

void print_case(const OpContext& ctx, const Case& c, int repeats, double peak) {
  const AttentionDims dims{c.B, c.T, c.query_offset + c.T, c.H, c.G, c.C, c.query_offset};
  Tensors t(dims);
  const double forward_s = median_seconds(repeats, [&] {
    attention_forward(ctx, dims, view(t.o, t.shape_q), view(t.lse, t.shape_row), view(t.q, t.shape_q),
                      view(t.k, t.shape_k), view(t.v, t.shape_k), {});
  });
  // Two products of (T, S, C) in forward, five in backward, over the pairs that the mask leaves.
  const double pairs = static_cast<double>(c.T) * (static_cast<double>(c.query_offset) +
                                                   0.5 * static_cast<double>(c.T + (c.T == 1 ? 1 : 0)));
  const double product = 2e-9 * static_cast<double>(c.B * c.H * c.C) * pairs;
  const std::string shape = fmt::format("B{} T{} S{} H{} G{} C{}", c.B, c.T, dims.S, c.H, c.G, c.C);
  fmt::print("{:<32} {:>9.3f} {:>9.1f} {:>7.1f}%", shape, forward_s * 1e3, 2.0 * product / forward_s,
             200.0 * product / forward_s / peak);
  if (c.query_offset == 0) {
    const double backward_s = median_seconds(repeats, [&] {
      attention_backward(
          ctx, dims,
          {view(t.dq, t.shape_q), view(t.dk, t.shape_k), view(t.dv, t.shape_k), view(t.delta, t.shape_row),
           view(t.d_o, t.shape_q), view(t.q, t.shape_q), view(t.k, t.shape_k), view(t.v, t.shape_k),
           view(t.o, t.shape_q), view(t.lse, t.shape_row), cairn::ConstTensorView()});
    });
    fmt::print(" {:>9.3f} {:>9.1f} {:>7.1f}%", backward_s * 1e3, 5.0 * product / backward_s,
               500.0 * product / backward_s / peak);
  }
  fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const int repeats = argc > 2 ? std::atoi(argv[2]) : 9;
  if (threads < 1 || repeats < 1) {
    fmt::print(stderr, "attention_bench [threads >= 1] [repeats >= 1]\n");
    return 64;
  }
  const cairn::Status supported = cairn::check_cpu_supports_build();
  if (!supported.ok()) {
    fmt::print(stderr, "{}\n", supported.message());
    return supported.exit_code();
  }
  cairn::ThreadPool pool(threads);
  auto arena = cairn::Arena::create(cairn::ops::workspace_bytes(threads));
  const OpContext ctx{pool, {arena->data(), {arena->num_bytes()}, cairn::DType::kUint8}};
  const double peak = cairn::measure_fma_peak_flops(pool) * 1e-9;
  fmt::print("compiled for {}, {} of {} cores, FMA peak {:.1f} GFLOP/s\n", cairn::compiled_instruction_set(),
             threads, cairn::num_usable_cpus(), peak);
  fmt::print("{:<32} {:>9} {:>9} {:>8} {:>9} {:>9} {:>8}\n", "shape", "fwd ms", "GFLOP/s", "of peak",
             "bwd ms", "GFLOP/s", "of peak");
  for (const Case& c : kCases) {
    print_case(ctx, c, repeats, peak);
  }
  return 0;
}
