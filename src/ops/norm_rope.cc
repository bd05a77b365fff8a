#include "ops/norm_rope.h"

#include "ops/fp8.h"
#include "ops/norm_rope_backends.h"
#include "ops/op_check.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"

namespace cairn::ops {
namespace {

void check_tables(const RopeTables& rope, const ConstTensorView& x_NHC) {
  check_view("norm_rope: positions_N", rope.positions_N, Shape{x_NHC.dim(0)}, DType::kInt32);
  check_rank("norm_rope: cos_PK", rope.cos_PK, 2);
  const Shape shape_PK{rope.cos_PK.dim(0), x_NHC.dim(2) / 2};
  check_view("norm_rope: cos_PK", rope.cos_PK, shape_PK, DType::kFloat32);
  check_view("norm_rope: sin_PK", rope.sin_PK, shape_PK, DType::kFloat32);
}

void check_heads(const ConstTensorView& x_NHC, const ConstTensorView& rstd, const ConstTensorView& weight_C,
                 const RopeTables& rope) {
  check_rank("norm_rope: x_NHC", x_NHC, 3);
  CHECK(x_NHC.dim(2) > 0 && x_NHC.dim(2) % 2 == 0, "norm_rope: channels of a head are even");
  check_activation("norm_rope: x_NHC", x_NHC, x_NHC.shape());
  check_view("norm_rope: rstd", rstd, Shape{x_NHC.dim(0) * x_NHC.dim(1)}, DType::kFloat32);
  check_view("norm_rope: weight_C", weight_C, Shape{x_NHC.dim(2)}, DType::kFloat32);
  check_tables(rope, x_NHC);
}

bool has_kernel(const ConstTensorView& x_NHC) {
  return is_on_gpu(x_NHC) && cuda::norm_rope_takes(x_NHC.dim(2), x_NHC.dtype());
}

}  // namespace

void norm_rope_forward(const OpContext& ctx, TensorView y_NHC, TensorView rstd, ConstTensorView x_NHC,
                       ConstTensorView weight_C, const RopeTables& rope, float eps) {
  check_heads(x_NHC, rstd, weight_C, rope);
  check_activation("norm_rope_forward: y_NHC", y_NHC, x_NHC.shape());
  CHECK(eps >= 0.0F, "norm_rope_forward: eps is negative");
  if (has_kernel(x_NHC)) {
    cuda::norm_rope_forward(ctx, y_NHC, rstd, x_NHC, weight_C, rope, eps);
    return;
  }
  const Shape rows{rstd.dim(0), x_NHC.dim(2)};
  rms_norm_forward(ctx, y_NHC.reshape(rows), rstd, x_NHC.reshape(rows), weight_C, eps);
  rope_forward(ctx, y_NHC, y_NHC, rope.positions_N, rope.cos_PK, rope.sin_PK);
}

void norm_rope_backward(const OpContext& ctx, const NormRopeBackward& args) {
  check_heads(args.x_NHC, args.rstd, args.weight_C, args.rope);
  check_activation("norm_rope_backward: dx_NHC", args.dx_NHC, args.x_NHC.shape());
  check_view("norm_rope_backward: dweight_C", args.dweight_C, args.weight_C.shape(), DType::kFloat32);
  check_amax("norm_rope_backward: amax", args.amax, args.dx_NHC);
  if (has_kernel(args.x_NHC)) {
    cuda::norm_rope_backward(ctx, args);
    return;
  }
  const Shape rows{args.rstd.dim(0), args.x_NHC.dim(2)};
  rope_backward(ctx, args.dx_NHC, args.dx_NHC, args.rope.positions_N, args.rope.cos_PK, args.rope.sin_PK);
  const TensorView heads = args.dx_NHC.reshape(rows);
  rms_norm_backward(ctx, {heads, args.dweight_C, heads, args.x_NHC.reshape(rows), args.weight_C, args.rstd,
                          WriteMode::kOverwrite});
  if (!args.amax.is_null() && args.dx_NHC.dim(0) > 0) {
    const std::int64_t N = args.dx_NHC.dim(0);
    fp8_measure(ctx, args.amax, args.dx_NHC.reshape(Shape{N, args.dx_NHC.num_elements() / N}));
  }
}

}  // namespace cairn::ops
