// The values that weights start from.
#pragma once

#include <cstdint>
#include <span>

#include "device/memory.h"
#include "device/thread_pool.h"
#include "nn/model_config.h"
#include "nn/parameter.h"

namespace cairn::nn {

// Fills every weight: normal(0, initializer_range) for matrices and embeddings, o_proj and down_proj divided by
// sqrt(2 L), norms 1, xIELU scalars so that alpha_p = alpha_n = 0.8.
// Counter-based: element i of a parameter is a function of (seed, parameter name, i) alone, so the values do not
// depend on layout, order, threads or device. On a GPU complete after CudaDevice::synchronize().
void initialize_weights(std::span<const Parameter> parameters, const Memory& memory,
                        const ModelConfig& config, std::uint64_t seed, ThreadPool& pool);

}  // namespace cairn::nn
