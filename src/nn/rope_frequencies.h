// The rotation frequencies of RoPE for a model configuration: plain, linearly scaled, or scaled as Llama 3.1 does.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/model_config.h"

namespace cairn::nn {

// C/2 inverse frequencies theta^(-2i/C), in float32 arithmetic as the reference computes them.
//   kLinear   all divided by the factor
//   kLlama3   by wavelength w = 2 pi / f with original length P: w > P/low is divided by the factor, w < P/high stays,
//             between the two they are blended by s = (P/w - low) / (high - low)
std::vector<float> rope_inverse_frequencies(const RopeConfig& rope, std::int64_t head_dim);

}  // namespace cairn::nn
