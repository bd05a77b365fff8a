// The unchecked bodies behind fp8.h.
#pragma once

#include "ops/fp8.h"

namespace cairn::ops::cuda {

void fp8_round(const OpContext& ctx, const Fp8Tensor& rows, const Fp8Tensor& columns, const Fp8Source& x);
void fp8_measure(const OpContext& ctx, TensorView amax, ConstTensorView x_RC);
void fp8_multiply(const OpContext& ctx, TensorView c_MN, ConstTensorView base_MN, const ConstFp8Tensor& a_MK,
                  const ConstFp8Tensor& b_NK, Fp8Sums sums);

}  // namespace cairn::ops::cuda
