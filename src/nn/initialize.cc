#include "nn/initialize.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "tensor/dtype.h"

namespace cairn::nn {
namespace {

constexpr double kXieluAlphaStart = 0.8;
constexpr double kXieluBeta = 0.5;

float round_to_bfloat16(double value) {
  return bfloat16_to_float(float_to_bfloat16(static_cast<float>(value)));
}

// The x whose softplus is y, every step rounded to bfloat16.
float inverse_softplus(double y) {
  const double expm1_y = round_to_bfloat16(std::expm1(static_cast<double>(round_to_bfloat16(y))));
  return round_to_bfloat16(std::log(expm1_y));
}

// Elements per unit of work; a normal number costs tens of nanoseconds.
constexpr std::int64_t kFillGrain = 1 << 14;

void fill_normal_parallel(ThreadPool& pool, std::span<float> weight, RandomKey key, double deviation) {
  pool.parallel_for(
      static_cast<std::int64_t>(weight.size()), kFillGrain, [&](std::int64_t begin, std::int64_t end) {
        const auto part =
            weight.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
        fill_normal(part, key, 0, static_cast<std::uint64_t>(begin), 0.0, deviation);
      });
}

}  // namespace

void initialize_weights(std::span<const Parameter> parameters, const Memory& memory,
                        const ModelConfig& config, std::uint64_t seed, ThreadPool& pool) {
  const double depth_scale = 1.0 / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers));
  for (const Parameter& parameter : parameters) {
    const std::span<float> weight = memory.view(parameter.weight).span<float>();
    const RandomKey key = random_key(seed, "init." + parameter.name);
    switch (parameter.initialization) {
      case Initialization::kNormal:
        fill_normal_parallel(pool, weight, key, config.initializer_range);
        break;
      case Initialization::kNormalScaledByDepth:
        fill_normal_parallel(pool, weight, key, config.initializer_range * depth_scale);
        break;
      case Initialization::kOnes:
        std::ranges::fill(weight, 1.0F);
        break;
      case Initialization::kXieluAlphaP:
        std::ranges::fill(weight, inverse_softplus(kXieluAlphaStart));
        break;
      case Initialization::kXieluAlphaN:
        std::ranges::fill(weight, inverse_softplus(kXieluAlphaStart - kXieluBeta));
        break;
    }
  }
}

}  // namespace cairn::nn
