#include "ops/rms_norm.h"

#include "ops/op_check.h"
#include "ops/rms_norm_backends.h"

namespace cairn::ops {

void rms_norm_forward(const OpContext& ctx, TensorView y_ND, TensorView rstd_N, ConstTensorView x_ND,
                      ConstTensorView weight_D, float eps, TensorView amax) {
  check_rank("rms_norm_forward: x_ND", x_ND, 2);
  const std::int64_t N = x_ND.dim(0);
  const std::int64_t D = x_ND.dim(1);
  CHECK(D > 0, "rms_norm_forward: rows without channels");
  CHECK(eps >= 0.0F, "rms_norm_forward: eps is negative");
  check_activation("rms_norm_forward: y_ND", y_ND, Shape{N, D});
  check_view("rms_norm_forward: rstd_N", rstd_N, Shape{N}, DType::kFloat32);
  check_activation("rms_norm_forward: x_ND", x_ND, Shape{N, D});
  check_view("rms_norm_forward: weight_D", weight_D, Shape{D}, DType::kFloat32);
  check_amax("rms_norm_forward: amax", amax, y_ND);
  if (is_on_gpu(y_ND)) {
    cuda::rms_norm_forward(ctx, y_ND, rstd_N, x_ND, weight_D, eps, amax);
    return;
  }
  cpu::rms_norm_forward(ctx, y_ND, rstd_N, x_ND, weight_D, eps);
}

void rms_norm_backward(const OpContext& ctx, const RmsNormBackward& args) {
  check_rank("rms_norm_backward: x_ND", args.x_ND, 2);
  const std::int64_t N = args.x_ND.dim(0);
  const std::int64_t D = args.x_ND.dim(1);
  CHECK(D > 0, "rms_norm_backward: rows without channels");
  check_activation("rms_norm_backward: dx_ND", args.dx_ND, Shape{N, D});
  check_view("rms_norm_backward: dweight_D", args.dweight_D, Shape{D}, DType::kFloat32);
  check_activation("rms_norm_backward: dy_ND", args.dy_ND, Shape{N, D});
  check_activation("rms_norm_backward: x_ND", args.x_ND, Shape{N, D});
  check_view("rms_norm_backward: weight_D", args.weight_D, Shape{D}, DType::kFloat32);
  check_view("rms_norm_backward: rstd_N", args.rstd_N, Shape{N}, DType::kFloat32);
  if (is_on_gpu(args.dx_ND)) {
    cuda::rms_norm_backward(ctx, args);
    return;
  }
  // The weight's gradient first: dx may take the place of dy.
  cpu::rms_norm_backward_weight(ctx, args.dweight_D, args.dy_ND, args.x_ND, args.rstd_N);
  cpu::rms_norm_backward_input(ctx, args.dx_ND, args.dy_ND, args.x_ND, args.weight_D, args.rstd_N, args.mode);
}

}  // namespace cairn::ops
