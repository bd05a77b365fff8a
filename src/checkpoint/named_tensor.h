// Tensors by their Hugging Face name, as checkpoints and exports see them. Views only: the arenas own the bytes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "device/memory.h"
#include "nn/parameter.h"
#include "tensor/tensor_view.h"

namespace cairn::checkpoint {

// Something to be written: float32, host memory.
struct NamedTensor {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  ConstTensorView view;
};

// Something to be filled: float32, host memory. The shape must agree with what the file says.
struct NamedTarget {
  std::string name;
  TensorView view;
};

// The weights of a model in its own order. The views live as long as `memory`.
std::vector<NamedTensor> weight_tensors(std::span<const nn::Parameter> parameters, const Memory& memory);
std::vector<NamedTarget> weight_targets(std::span<const nn::Parameter> parameters, const Memory& memory);

// One optimizer moment: "exp_avg" and one tensor per trained parameter, under the parameter's name.
struct MomentTensors {
  std::string moment;  // [a-z0-9_]+, becomes training/<moment>-*.safetensors
  std::vector<NamedTensor> tensors;
};
struct MomentTargets {
  std::string moment;
  std::vector<NamedTarget> targets;
};

}  // namespace cairn::checkpoint
