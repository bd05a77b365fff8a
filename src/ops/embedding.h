// Token embedding: a row look-up and its transpose. Deterministic: rows are added in token order.
#pragma once

#include "ops/op_context.h"

namespace cairn::ops {

//   out_ND    (N, D) float32   =
//   table_VD  (V, D) float32
//   ids_N     (N) int32        each in [0, V); violations abort (the data plane has checked them)
void embedding_forward(const OpContext& ctx, TensorView out_ND, ConstTensorView table_VD,
                       ConstTensorView ids_N);

//   dtable_VD (V, D) float32   +=
// On a GPU rows are sorted by id in the workspace, some 20 bytes each: 64 MiB are enough for two million.
void embedding_backward(const OpContext& ctx, TensorView dtable_VD, ConstTensorView dout_ND,
                        ConstTensorView ids_N);

}  // namespace cairn::ops
