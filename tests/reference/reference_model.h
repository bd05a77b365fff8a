// The whole decoder in double: every variant of nn::ModelConfig, forward to logits and losses, backward to the
// gradient of every parameter. Simple loops over reference_ops.h, never optimised.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nn/model_config.h"
#include "tests/reference/reference_ops.h"

namespace cairn::reference {

// By Hugging Face name, row-major. Apertus: "...mlp.act_fn.beta" and ".eps" are read when present (0.5, -1e-6
// otherwise); they have no gradient.
using Parameters = std::map<std::string, Vector>;

// All vectors hold B*T entries. `targets` may hold anything where `dloss` is 0 and `weight` is 0.
struct Batch {
  std::int64_t B = 0, T = 0;
  Indices tokens, targets;
  Vector weight;      // 0 or 1: where 0, the loss is 0
  Indices positions;  // fed to RoPE
  Indices first_key;  // earliest row of the same sequence that a row may attend to
};

// T tokens per sequence, plain causal attention, positions 0 .. T-1, every target counted.
Batch plain_batch(std::int64_t B, std::int64_t T, Indices tokens, Indices targets);

// Names and shapes of all trained parameters of a configuration, in order of use. Tied heads appear once.
std::vector<std::pair<std::string, std::vector<std::int64_t>>> parameter_shapes(
    const nn::ModelConfig& config);

// C/2 inverse frequencies: default, linear or llama3 scaling.
Vector rope_inverse_frequency(const nn::ModelConfig& config);

struct ModelOutput {
  Vector logits_NV;
  Vector loss_N;  // nats, 0 where weight is 0
};
ModelOutput model_forward(const nn::ModelConfig& config, const Parameters& parameters, const Batch& batch);

// dloss_N: gradient of the objective by each row's loss. Returns one entry per trained parameter.
Parameters model_backward(const nn::ModelConfig& config, const Parameters& parameters, const Batch& batch,
                          const Vector& dloss_N);

}  // namespace cairn::reference
