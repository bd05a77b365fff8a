// What a module registers for each trained tensor, and for each constant that checkpoints carry beside them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/plan.h"
#include "tensor/tensor_view.h"

namespace cairn::nn {

enum class Initialization : std::uint8_t {
  kNormal,               // normal(0, initializer_range)
  kNormalScaledByDepth,  // normal(0, initializer_range / sqrt(2 L)): projections that write the residual stream
  kOnes,
  kXieluAlphaP,  // the stored scalar whose softplus is 0.8
  kXieluAlphaN,  // the stored scalar whose softplus plus beta is 0.8
};

struct Parameter {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  Shape shape;
  Initialization initialization = Initialization::kNormal;
  TensorId weight;    // float32
  TensorId gradient;  // float32; invalid in a plan without gradients
  TensorId compute;   // the weight rounded to the compute dtype; invalid where that is float32
};

// A scalar constant that Hugging Face checkpoints hold under a tensor name (shape [], bfloat16 values). Written
// with the weights; on reading accepted when its value agrees.
struct Buffer {
  std::string name;  // "model.layers.0.mlp.act_fn.beta"
  float value = 0.0F;
};

}  // namespace cairn::nn
