// A few parameters with gradients and an optimizer's state in planned memory, for the tests of src/optim.
#pragma once

#include <random>
#include <span>
#include <string>
#include <vector>

#include "device/memory.h"
#include "optim/optimizer.h"
#include "tests/reference/finite_difference.h"

namespace cairn::optim {

using reference::test_seed;

struct ParameterSpec {
  std::string name;
  Shape shape;
};

inline std::vector<OptimParameter> declare(std::span<const ParameterSpec> specs, Plan& plan) {
  std::vector<OptimParameter> parameters;
  for (const ParameterSpec& spec : specs) {
    const TensorId weight = plan.add({spec.name, spec.shape, DType::kFloat32, Lifetime::kParameter});
    const TensorId gradient =
        plan.add({"grad." + spec.name, spec.shape, DType::kFloat32, Lifetime::kGradient});
    parameters.push_back({spec.name, spec.shape, weight, gradient});
  }
  return parameters;
}

inline void fill_normal(std::span<float> x, std::mt19937& random, double scale) {
  std::normal_distribution<double> normal(0.0, scale);
  for (float& v : x) {
    v = static_cast<float>(normal(random));
  }
}

inline std::vector<float> values(const Memory& memory, TensorId tensor) {
  const std::span<float> x = memory.view(tensor).span<float>();
  return {x.begin(), x.end()};
}

// Weights and gradients keyed by the parameter's name, so that they do not depend on the order of declaration.
inline void fill_parameters(const Memory& memory, std::span<const OptimParameter> parameters,
                            std::uint32_t seed) {
  for (const OptimParameter& parameter : parameters) {
    std::seed_seq sequence(parameter.name.begin(), parameter.name.end());
    std::mt19937 random(sequence);
    random.discard(seed % 1000);
    fill_normal(memory.view(parameter.weight).span<float>(), random, 1.0);
    fill_normal(memory.view(parameter.gradient).span<float>(), random, 0.1);
  }
}

}  // namespace cairn::optim
