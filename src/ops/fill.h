// What tensors start from: one value, or normal random numbers.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "ops/op_context.h"

namespace cairn::ops {

// y = value, float32.
void fill_constant(const OpContext& ctx, TensorView y, float value);

// Normal numbers `first_index` and on of one stream (base/random.h).
struct NormalNumbers {
  RandomKey key;
  std::uint64_t stream = 0;
  std::uint64_t first_index = 0;
  double mean = 0.0;
  double deviation = 1.0;
};

// y[i] = mean + deviation * normal number (first_index + i), float32. The same bits on the CPU and on a GPU.
void fill_normal(const OpContext& ctx, TensorView y, const NormalNumbers& numbers);

}  // namespace cairn::ops
