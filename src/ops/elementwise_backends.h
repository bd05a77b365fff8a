// The unchecked bodies behind elementwise.h, one namespace per back end.
#pragma once

#include "ops/elementwise.h"

namespace cairn::ops::cpu {

void add(const OpContext& ctx, TensorView y, ConstTensorView a, ConstTensorView b);
void fill_zero(const OpContext& ctx, TensorView y);
void copy(const OpContext& ctx, TensorView y, ConstTensorView x);

}  // namespace cairn::ops::cpu

namespace cairn::ops::cuda {

void add(const OpContext& ctx, TensorView y, ConstTensorView a, ConstTensorView b);
void fill_zero(const OpContext& ctx, TensorView y);
void copy(const OpContext& ctx, TensorView y, ConstTensorView x);
void cast(const OpContext& ctx, TensorView y, ConstTensorView x);

}  // namespace cairn::ops::cuda
