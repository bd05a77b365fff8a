#include "nn/rope_frequencies.h"

#include <cmath>
#include <numbers>

namespace cairn::nn {
namespace {

float scale_llama3(const RopeConfig& rope, float frequency) {
  const auto length = static_cast<float>(rope.original_max_position_embeddings);
  const auto factor = static_cast<float>(rope.factor);
  const auto low = static_cast<float>(rope.low_freq_factor);
  const auto high = static_cast<float>(rope.high_freq_factor);
  const float wavelength = 2.0F * std::numbers::pi_v<float> / frequency;
  if (wavelength > length / low) {
    return frequency / factor;
  }
  if (wavelength < length / high) {
    return frequency;
  }
  const float smooth = (length / wavelength - low) / (high - low);
  return (1.0F - smooth) * frequency / factor + smooth * frequency;
}

}  // namespace

std::vector<float> rope_inverse_frequencies(const RopeConfig& rope, std::int64_t head_dim) {
  std::vector<float> frequencies;
  for (std::int64_t channel = 0; channel < head_dim; channel += 2) {
    // The power is taken in double and rounded once: within one unit of the last place of any float32 pow, and the
    // same on every machine up to the C library's double pow.
    const float exponent = static_cast<float>(channel) / static_cast<float>(head_dim);
    const auto power = static_cast<float>(std::pow(rope.theta, static_cast<double>(exponent)));
    float frequency = 1.0F / power;
    if (rope.type == RopeType::kLinear) {
      frequency /= static_cast<float>(rope.factor);
    } else if (rope.type == RopeType::kLlama3) {
      frequency = scale_llama3(rope, frequency);
    }
    frequencies.push_back(frequency);
  }
  return frequencies;
}

}  // namespace cairn::nn
