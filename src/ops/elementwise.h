// Residual sums and fills.
#pragma once

#include "ops/op_context.h"

namespace cairn::ops {

// y = a + b, float32 or on a GPU bfloat16, any equal shapes; y may alias a or b.
void add(const OpContext& ctx, TensorView y, ConstTensorView a, ConstTensorView b);

// y = 0, any dtype.
void fill_zero(const OpContext& ctx, TensorView y);

// y = x, equal shapes and dtypes; on a GPU one of them may be host memory.
void copy(const OpContext& ctx, TensorView y, ConstTensorView x);

// y = x rounded to y's dtype, equal shapes; x float32. On a GPU only.
void cast(const OpContext& ctx, TensorView y, ConstTensorView x);

// y += x, float32.
void accumulate(const OpContext& ctx, TensorView y, ConstTensorView x);

}  // namespace cairn::ops
