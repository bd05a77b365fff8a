#include "checkpoint/named_tensor.h"

namespace cairn::checkpoint {

std::vector<NamedTensor> weight_tensors(std::span<const nn::Parameter> parameters, const Memory& memory) {
  std::vector<NamedTensor> tensors;
  tensors.reserve(parameters.size());
  for (const nn::Parameter& parameter : parameters) {
    tensors.push_back({parameter.name, memory.view(parameter.weight)});
  }
  return tensors;
}

std::vector<NamedTarget> weight_targets(std::span<const nn::Parameter> parameters, const Memory& memory) {
  std::vector<NamedTarget> targets;
  targets.reserve(parameters.size());
  for (const nn::Parameter& parameter : parameters) {
    targets.push_back({parameter.name, memory.view(parameter.weight)});
  }
  return targets;
}

}  // namespace cairn::checkpoint
