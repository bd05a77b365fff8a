#include "nn/initialize.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace cairn::nn {
namespace {

constexpr double kXieluAlphaStart = 0.8;
constexpr double kXieluBeta = 0.5;

// The x whose softplus is y.
float inverse_softplus(double y) {
  return static_cast<float>(std::log(std::expm1(y)));
}

}  // namespace

void initialize_weights(std::span<const Parameter> parameters, const Memory& memory,
                        const ModelConfig& config, std::uint64_t seed) {
  const double depth_scale = 1.0 / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers));
  for (const Parameter& parameter : parameters) {
    const std::span<float> weight = memory.view(parameter.weight).span<float>();
    const RandomKey key = random_key(seed, "init." + parameter.name);
    switch (parameter.initialization) {
      case Initialization::kNormal:
        fill_normal(weight, key, 0, 0, 0.0, config.initializer_range);
        break;
      case Initialization::kNormalScaledByDepth:
        fill_normal(weight, key, 0, 0, 0.0, config.initializer_range * depth_scale);
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
