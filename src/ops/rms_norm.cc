#include "ops/rms_norm.h"

#include "ops/op_check.h"
#include "ops/rms_norm_backends.h"

namespace cairn::ops {

void rms_norm_forward(const OpContext& ctx, TensorView y_ND, TensorView rstd_N, ConstTensorView x_ND,
                      ConstTensorView weight_D, float eps) {
  check_rank("rms_norm_forward: x_ND", x_ND, 2);
  const std::int64_t N = x_ND.dim(0);
  const std::int64_t D = x_ND.dim(1);
  CHECK(D > 0, "rms_norm_forward: rows without channels");
  CHECK(eps >= 0.0F, "rms_norm_forward: eps is negative");
  check_view("rms_norm_forward: y_ND", y_ND, Shape{N, D}, DType::kFloat32);
  check_view("rms_norm_forward: rstd_N", rstd_N, Shape{N}, DType::kFloat32);
  check_view("rms_norm_forward: x_ND", x_ND, Shape{N, D}, DType::kFloat32);
  check_view("rms_norm_forward: weight_D", weight_D, Shape{D}, DType::kFloat32);
  check_on_cpu("rms_norm_forward", y_ND);
  cpu::rms_norm_forward(ctx, y_ND, rstd_N, x_ND, weight_D, eps);
}

void rms_norm_backward_input(const OpContext& ctx, TensorView dx_ND, ConstTensorView dy_ND,
                             ConstTensorView x_ND, ConstTensorView weight_D, ConstTensorView rstd_N,
                             WriteMode mode) {
  check_rank("rms_norm_backward_input: x_ND", x_ND, 2);
  const std::int64_t N = x_ND.dim(0);
  const std::int64_t D = x_ND.dim(1);
  CHECK(D > 0, "rms_norm_backward_input: rows without channels");
  check_view("rms_norm_backward_input: dx_ND", dx_ND, Shape{N, D}, DType::kFloat32);
  check_view("rms_norm_backward_input: dy_ND", dy_ND, Shape{N, D}, DType::kFloat32);
  check_view("rms_norm_backward_input: x_ND", x_ND, Shape{N, D}, DType::kFloat32);
  check_view("rms_norm_backward_input: weight_D", weight_D, Shape{D}, DType::kFloat32);
  check_view("rms_norm_backward_input: rstd_N", rstd_N, Shape{N}, DType::kFloat32);
  check_on_cpu("rms_norm_backward_input", dx_ND);
  cpu::rms_norm_backward_input(ctx, dx_ND, dy_ND, x_ND, weight_D, rstd_N, mode);
}

void rms_norm_backward_weight(const OpContext& ctx, TensorView dweight_D, ConstTensorView dy_ND,
                              ConstTensorView x_ND, ConstTensorView rstd_N) {
  check_rank("rms_norm_backward_weight: x_ND", x_ND, 2);
  const std::int64_t N = x_ND.dim(0);
  const std::int64_t D = x_ND.dim(1);
  check_view("rms_norm_backward_weight: dweight_D", dweight_D, Shape{D}, DType::kFloat32);
  check_view("rms_norm_backward_weight: dy_ND", dy_ND, Shape{N, D}, DType::kFloat32);
  check_view("rms_norm_backward_weight: x_ND", x_ND, Shape{N, D}, DType::kFloat32);
  check_view("rms_norm_backward_weight: rstd_N", rstd_N, Shape{N}, DType::kFloat32);
  check_on_cpu("rms_norm_backward_weight", dweight_D);
  cpu::rms_norm_backward_weight(ctx, dweight_D, dy_ND, x_ND, rstd_N);
}

}  // namespace cairn::ops
