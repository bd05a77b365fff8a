#include "nn/initialize.h"

#include <cmath>

#include "base/random.h"
#include "ops/fill.h"
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

}  // namespace

void initialize_weights(std::span<const Parameter> parameters, const Memory& memory,
                        const ModelConfig& config, std::uint64_t seed, ThreadPool& pool) {
  const double depth_scale = 1.0 / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers));
  const ops::OpContext ctx{pool, {}, memory.device()};
  for (const Parameter& parameter : parameters) {
    const TensorView weight = memory.view(parameter.weight);
    const auto fill_normal = [&](double deviation) {
      ops::fill_normal(ctx, weight,
                       {.key = random_key(seed, "init." + parameter.name), .deviation = deviation});
    };
    switch (parameter.initialization) {
      case Initialization::kNormal:
        fill_normal(config.initializer_range);
        break;
      case Initialization::kNormalScaledByDepth:
        fill_normal(config.initializer_range * depth_scale);
        break;
      case Initialization::kOnes:
        ops::fill_constant(ctx, weight, 1.0F);
        break;
      case Initialization::kXieluAlphaP:
        ops::fill_constant(ctx, weight, inverse_softplus(kXieluAlphaStart));
        break;
      case Initialization::kXieluAlphaN:
        ops::fill_constant(ctx, weight, inverse_softplus(kXieluAlphaStart - kXieluBeta));
        break;
    }
  }
}

}  // namespace cairn::nn
