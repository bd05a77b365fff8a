// The unchecked bodies behind fill.h, one namespace per back end.
#pragma once

#include "ops/fill.h"

namespace cairn::ops::cpu {

void fill_constant(const OpContext& ctx, TensorView y, float value);
void fill_normal(const OpContext& ctx, TensorView y, const NormalNumbers& numbers);

}  // namespace cairn::ops::cpu

namespace cairn::ops::cuda {

void fill_constant(const OpContext& ctx, TensorView y, float value);
void fill_normal(const OpContext& ctx, TensorView y, const NormalNumbers& numbers);

}  // namespace cairn::ops::cuda
