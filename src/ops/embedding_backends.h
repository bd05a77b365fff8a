// The unchecked bodies behind embedding.h, one namespace per back end.
#pragma once

#include "ops/embedding.h"

namespace cairn::ops::cpu {

void embedding_forward(const OpContext& ctx, TensorView out_ND, ConstTensorView table_VD,
                       ConstTensorView ids_N);
void embedding_backward(const OpContext& ctx, TensorView dtable_VD, ConstTensorView dout_ND,
                        ConstTensorView ids_N);

}  // namespace cairn::ops::cpu

namespace cairn::ops::cuda {

void embedding_forward(const OpContext& ctx, TensorView out_ND, ConstTensorView table_VD,
                       ConstTensorView ids_N);
void embedding_backward(const OpContext& ctx, TensorView dtable_VD, ConstTensorView dout_ND,
                        ConstTensorView ids_N);

}  // namespace cairn::ops::cuda
