// Floating-point operations of a model, counted from its matrix products: one multiplication and one addition
// each, backward twice the forward. Norms, activations, softmax and the optimizer are left out, as everywhere.
#pragma once

#include <cstdint>

#include "nn/model_config.h"

namespace cairn::planner {

// Dense bfloat16 peak of an H100 SXM, H200 or GH200, by their data sheets.
inline constexpr double kHopperPeakFlops = 989.4e12;

// Of training one sequence of `sequence` tokens: forward and backward, without recomputation.
// Causal attention is counted half, the output head counts, the input embedding does not. This is the count
// behind TFLOP/s and MFU.
double training_flops(const nn::ModelConfig& config, std::int64_t sequence);

// The same with full attention, as Megatron-LM counts: 12 B s L d^2 (1 + kv/q + s/d + ffn/d + V/(2 L d)) when
// H*C = d and there is no gate. Behind the field tflops_megatron.
double training_flops_megatron(const nn::ModelConfig& config, std::int64_t sequence);

}  // namespace cairn::planner
