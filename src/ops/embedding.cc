#include "ops/embedding.h"

#include "ops/embedding_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {

void embedding_forward(const OpContext& ctx, TensorView out_ND, ConstTensorView table_VD,
                       ConstTensorView ids_N) {
  check_rank("embedding_forward: table_VD", table_VD, 2);
  check_rank("embedding_forward: ids_N", ids_N, 1);
  const std::int64_t N = ids_N.dim(0);
  const std::int64_t D = table_VD.dim(1);
  check_activation("embedding_forward: out_ND", out_ND, Shape{N, D});
  check_view("embedding_forward: table_VD", table_VD, table_VD.shape(), DType::kFloat32);
  check_view("embedding_forward: ids_N", ids_N, Shape{N}, DType::kInt32);
  if (is_on_gpu(out_ND)) {
    cuda::embedding_forward(ctx, out_ND, table_VD, ids_N);
    return;
  }
  cpu::embedding_forward(ctx, out_ND, table_VD, ids_N);
}

void embedding_backward(const OpContext& ctx, TensorView dtable_VD, ConstTensorView dout_ND,
                        ConstTensorView ids_N) {
  check_rank("embedding_backward: dtable_VD", dtable_VD, 2);
  check_rank("embedding_backward: ids_N", ids_N, 1);
  const std::int64_t N = ids_N.dim(0);
  const std::int64_t D = dtable_VD.dim(1);
  check_view("embedding_backward: dtable_VD", dtable_VD, dtable_VD.shape(), DType::kFloat32);
  check_activation("embedding_backward: dout_ND", dout_ND, Shape{N, D});
  check_view("embedding_backward: ids_N", ids_N, Shape{N}, DType::kInt32);
  if (is_on_gpu(dtable_VD)) {
    cuda::embedding_backward(ctx, dtable_VD, dout_ND, ids_N);
    return;
  }
  cpu::embedding_backward(ctx, dtable_VD, dout_ND, ids_N);
}

}  // namespace cairn::ops
