#include "bench_account.h"

#include <algorithm>
#include <array>
#include <map>
#include <ostream>
#include <string_view>

#include <fmt/format.h>

#include "bench_support.h"
#include "planner/flops.h"

namespace cairn::apps {
namespace {

enum class Kind : std::uint8_t { kGemm, kAttention, kMemory, kOptimizer };
constexpr std::array<const char*, 4> kNames = {"matrix products", "attention", "passes over memory",
                                               "optimizer"};

// By the names of kernels: ours, and those of cuBLASLt and cuDNN.
Kind kind_of(std::string_view name) {
  const auto has = [&](std::initializer_list<std::string_view> parts) {
    return std::ranges::any_of(parts, [&](std::string_view part) { return name.find(part) != name.npos; });
  };
  if (has({"adamw", "ademamix", "chunk_squares"})) {
    return Kind::kOptimizer;
  }
  if (has({"attention", "sdpa", "fmha", "flash", "cudnn::", "::key_kernel<", "::query_kernel<",
           "::forward_kernel<64>", "::forward_kernel<128>", "::delta_kernel<", "::query_gradient_kernel<",
           "::key_gradient_kernel<"})) {
    return Kind::kAttention;
  }
  if (has({"nvjet", "gemm", "cutlass", "xmma", "splitK", "cublas"})) {
    return Kind::kGemm;
  }
  return Kind::kMemory;
}

// Bytes that passes over memory move at least when every chain between two products is one pass: bfloat16 activations,
// float32 gradients of weights, which are zeroed once a step.
double memory_floor_bytes(const AccountedWork& work) {
  const nn::ModelConfig& model = work.model;
  const auto D = static_cast<double>(model.hidden_size);
  const auto F = static_cast<double>(model.intermediate_size);
  const auto heads =
      static_cast<double>((model.num_attention_heads + model.num_key_value_heads) * model.head_dim);
  const auto V = static_cast<double>(model.vocab_size);
  const bool is_gated = model.activation() == nn::Activation::kSwiglu;
  constexpr double kHalf = 2.0;
  constexpr double kFloat = 4.0;
  const double norms =
      2 * (2 + 4) * D;  // forward: in, out; backward: dy, x, the stream's gradient in and out
  const double rotation = (2 + 3) * heads;
  const double activation = (is_gated ? 3.0 + 5.0 : 2.0 + 3.0) * F;
  const double layer = kHalf * (norms + rotation + activation);
  const double ends = kHalf * ((2 + 3) * D + 2 * V)                       // last norm, loss
                      + (kHalf + kFloat) * D + (kHalf + 2 * kFloat) * D;  // embedding, forward and backward
  const double tokens = static_cast<double>(work.sequences) * static_cast<double>(work.sequence);
  return tokens * (static_cast<double>(model.num_hidden_layers) * layer + ends) +
         kFloat * static_cast<double>(nn::num_parameters(model));
}

// Weight, gradient and moments read, weight and moments written in float32, the rounded copy written; before it the
// gradient read once more for its norm.
double optimizer_floor_bytes(const AccountedWork& work) {
  const double per_parameter = 4.0 * (2 + work.num_moments) + 4.0 * (1 + work.num_moments) + 4.0;
  const auto parameters = static_cast<double>(nn::num_parameters(work.model));
  const double rounded =
      parameters - static_cast<double>(work.model.vocab_size * work.model.hidden_size);  // not the embedding
  return per_parameter * parameters + 2.0 * rounded;
}

std::array<double, 4> floors_s(const AccountedWork& work) {
  const auto sequences = static_cast<double>(work.sequences);
  const double all = planner::training_flops(work.model, work.sequence) * sequences;
  // The two counts differ by the other half of attention.
  const double attention =
      (planner::training_flops_megatron(work.model, work.sequence) * sequences - all) * 7.0 / 6.0;
  return {(all - attention * 6.0 / 7.0) / planner::kHopperPeakFlops, attention / planner::kHopperPeakFlops,
          memory_floor_bytes(work) / work.copy_bytes_per_s,
          optimizer_floor_bytes(work) / work.copy_bytes_per_s};
}

struct Sums {
  std::array<double, 4> seconds{};
  double idle_s = 0;
  double span_s = 0;
  std::map<std::string, std::pair<double, std::int64_t>> by_name;  // seconds, calls
};

Sums sum_up(const std::vector<DeviceInterval>& intervals) {
  Sums sums;
  std::int64_t busy_until = intervals.front().begin_ns;
  for (const DeviceInterval& interval : intervals) {
    const double seconds = static_cast<double>(interval.end_ns - interval.begin_ns) * 1e-9;
    sums.seconds[static_cast<std::size_t>(kind_of(interval.name))] += seconds;
    auto& [total, calls] = sums.by_name[interval.name];
    total += seconds;
    ++calls;
    sums.idle_s += static_cast<double>(std::max<std::int64_t>(0, interval.begin_ns - busy_until)) * 1e-9;
    busy_until = std::max(busy_until, interval.end_ns);
  }
  sums.span_s = static_cast<double>(busy_until - intervals.front().begin_ns) * 1e-9;
  return sums;
}

}  // namespace

void print_account(const std::vector<DeviceInterval>& intervals, const AccountedWork& work,
                   CommandContext& context) {
  if (intervals.empty()) {
    context.err << "the trace holds no kernels\n";
    return;
  }
  const Sums sums = sum_up(intervals);
  const std::array<double, 4> floors = floors_s(work);
  const auto steps = static_cast<double>(work.steps);
  BenchTable kinds({"ms", "% of step", "floor ms", "% of ceiling"});
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const double seconds = sums.seconds[i] / steps;
    kinds.add(kNames[i], {seconds * 1e3, 100.0 * sums.seconds[i] / sums.span_s, floors[i] * 1e3,
                          seconds > 0 ? 100.0 * floors[i] / seconds : 0.0});
  }
  kinds.add("idle", {sums.idle_s / steps * 1e3, 100.0 * sums.idle_s / sums.span_s, 0.0, 0.0});
  kinds.print(context);
  std::vector<std::pair<std::string, std::pair<double, std::int64_t>>> kernels(sums.by_name.begin(),
                                                                               sums.by_name.end());
  std::ranges::sort(kernels, [](const auto& a, const auto& b) { return a.second.first > b.second.first; });
  constexpr std::size_t kShown = 24;
  constexpr std::size_t kNameMax = 100;
  BenchTable longest({"ms", "calls", "us each"});
  for (std::size_t i = 0; i < std::min(kShown, kernels.size()); ++i) {
    const auto& [seconds, calls] = kernels[i].second;
    longest.add(kernels[i].first.substr(0, kNameMax),
                {seconds / steps * 1e3, static_cast<double>(calls) / steps,
                 seconds / static_cast<double>(calls) * 1e6});
  }
  longest.print(context);
}

}  // namespace cairn::apps
