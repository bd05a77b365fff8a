#include "ops/cross_entropy.h"

#include "ops/cross_entropy_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {

void cross_entropy_forward(const OpContext& ctx, TensorView loss_N, TensorView lse_N,
                           ConstTensorView logits_NV, ConstTensorView targets_N, ConstTensorView weight_N) {
  check_rank("cross_entropy_forward: logits_NV", logits_NV, 2);
  const std::int64_t N = logits_NV.dim(0);
  CHECK(logits_NV.dim(1) > 0, "cross_entropy_forward: rows without logits");
  check_view("cross_entropy_forward: loss_N", loss_N, Shape{N}, DType::kFloat32);
  check_view("cross_entropy_forward: lse_N", lse_N, Shape{N}, DType::kFloat32);
  check_activation("cross_entropy_forward: logits_NV", logits_NV, logits_NV.shape());
  check_view("cross_entropy_forward: targets_N", targets_N, Shape{N}, DType::kInt32);
  check_view("cross_entropy_forward: weight_N", weight_N, Shape{N}, DType::kFloat32);
  if (is_on_gpu(logits_NV)) {
    cuda::cross_entropy_forward(ctx, loss_N, lse_N, logits_NV, targets_N, weight_N);
    return;
  }
  cpu::cross_entropy_forward(ctx, loss_N, lse_N, logits_NV, targets_N, weight_N);
}

void cross_entropy_backward(const OpContext& ctx, TensorView dlogits_NV, ConstTensorView logits_NV,
                            ConstTensorView lse_N, ConstTensorView targets_N, ConstTensorView dloss_N) {
  check_rank("cross_entropy_backward: logits_NV", logits_NV, 2);
  const std::int64_t N = logits_NV.dim(0);
  check_activation("cross_entropy_backward: dlogits_NV", dlogits_NV, logits_NV.shape());
  check_activation("cross_entropy_backward: logits_NV", logits_NV, logits_NV.shape());
  check_view("cross_entropy_backward: lse_N", lse_N, Shape{N}, DType::kFloat32);
  check_view("cross_entropy_backward: targets_N", targets_N, Shape{N}, DType::kInt32);
  check_view("cross_entropy_backward: dloss_N", dloss_N, Shape{N}, DType::kFloat32);
  if (is_on_gpu(logits_NV)) {
    cuda::cross_entropy_backward(ctx, dlogits_NV, logits_NV, lse_N, targets_N, dloss_N);
    return;
  }
  cpu::cross_entropy_backward(ctx, dlogits_NV, logits_NV, lse_N, targets_N, dloss_N);
}

void cross_entropy_forward_backward(const OpContext& ctx, TensorView loss_N, TensorView logits_NV,
                                    ConstTensorView targets_N, ConstTensorView weight_N,
                                    ConstTensorView dloss_N) {
  check_rank("cross_entropy_forward_backward: logits_NV", logits_NV, 2);
  const std::int64_t N = logits_NV.dim(0);
  CHECK(logits_NV.dim(1) > 0, "cross_entropy_forward_backward: rows without logits");
  check_view("cross_entropy_forward_backward: loss_N", loss_N, Shape{N}, DType::kFloat32);
  check_activation("cross_entropy_forward_backward: logits_NV", logits_NV, logits_NV.shape());
  check_view("cross_entropy_forward_backward: targets_N", targets_N, Shape{N}, DType::kInt32);
  check_view("cross_entropy_forward_backward: weight_N", weight_N, Shape{N}, DType::kFloat32);
  check_view("cross_entropy_forward_backward: dloss_N", dloss_N, Shape{N}, DType::kFloat32);
  if (is_on_gpu(logits_NV)) {
    cuda::cross_entropy_forward_backward(ctx, loss_N, logits_NV, targets_N, weight_N, dloss_N);
    return;
  }
  cpu::cross_entropy_forward_backward(ctx, loss_N, logits_NV, targets_N, weight_N, dloss_N);
}

void argmax_rows(const OpContext& ctx, TensorView predicted_N, ConstTensorView logits_NV) {
  check_rank("argmax_rows: logits_NV", logits_NV, 2);
  CHECK(logits_NV.dim(1) > 0, "argmax_rows: rows without logits");
  check_view("argmax_rows: predicted_N", predicted_N, Shape{logits_NV.dim(0)}, DType::kInt32);
  check_activation("argmax_rows: logits_NV", logits_NV, logits_NV.shape());
  if (is_on_gpu(logits_NV)) {
    cuda::argmax_rows(ctx, predicted_N, logits_NV);
    return;
  }
  cpu::argmax_rows(ctx, predicted_N, logits_NV);
}

}  // namespace cairn::ops
