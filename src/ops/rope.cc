#include "ops/rope.h"

#include "ops/op_check.h"
#include "ops/rope_backends.h"

namespace cairn::ops {

void rope_table(const OpContext& ctx, TensorView cos_PK, TensorView sin_PK,
                std::span<const float> inverse_frequency_K) {
  check_rank("rope_table: cos_PK", cos_PK, 2);
  const Shape shape{cos_PK.dim(0), static_cast<std::int64_t>(inverse_frequency_K.size())};
  check_view("rope_table: cos_PK", cos_PK, shape, DType::kFloat32);
  check_view("rope_table: sin_PK", sin_PK, shape, DType::kFloat32);
  // Up to here the reduction by pi/2 is exact (rope_cpu.cc), and longer contexts do not exist.
  CHECK(shape.dim(0) <= (std::int64_t{1} << 24), "rope_table: positions above 2^24 are not exact in float32");
  CHECK(!is_on_gpu(cos_PK), "rope_table: computed on the host");
  cpu::rope_table(ctx, cos_PK, sin_PK, inverse_frequency_K);
}

namespace {

void check_rotation(const ConstTensorView& y_NHC, const ConstTensorView& x_NHC,
                    const ConstTensorView& positions_N, const ConstTensorView& cos_PK,
                    const ConstTensorView& sin_PK) {
  check_rank("rope: x", x_NHC, 3);
  check_rank("rope: cos_PK", cos_PK, 2);
  const std::int64_t C = x_NHC.dim(2);
  CHECK(C % 2 == 0, "rope: channels per head must be even");
  check_activation("rope: y", y_NHC, x_NHC.shape());
  check_activation("rope: x", x_NHC, x_NHC.shape());
  check_view("rope: positions_N", positions_N, Shape{x_NHC.dim(0)}, DType::kInt32);
  check_view("rope: cos_PK", cos_PK, Shape{cos_PK.dim(0), C / 2}, DType::kFloat32);
  check_view("rope: sin_PK", sin_PK, Shape{cos_PK.dim(0), C / 2}, DType::kFloat32);
}

}  // namespace

void rope_forward(const OpContext& ctx, TensorView y_NHC, ConstTensorView x_NHC, ConstTensorView positions_N,
                  ConstTensorView cos_PK, ConstTensorView sin_PK) {
  check_rotation(y_NHC, x_NHC, positions_N, cos_PK, sin_PK);
  if (is_on_gpu(y_NHC)) {
    cuda::rope_rotate(ctx, y_NHC, x_NHC, positions_N, cos_PK, sin_PK, 1.0F);
    return;
  }
  cpu::rope_rotate(ctx, y_NHC, x_NHC, positions_N, cos_PK, sin_PK, 1.0F);
}

void rope_backward(const OpContext& ctx, TensorView dx_NHC, ConstTensorView dy_NHC,
                   ConstTensorView positions_N, ConstTensorView cos_PK, ConstTensorView sin_PK) {
  check_rotation(dx_NHC, dy_NHC, positions_N, cos_PK, sin_PK);
  if (is_on_gpu(dx_NHC)) {
    cuda::rope_rotate(ctx, dx_NHC, dy_NHC, positions_N, cos_PK, sin_PK, -1.0F);
    return;
  }
  cpu::rope_rotate(ctx, dx_NHC, dy_NHC, positions_N, cos_PK, sin_PK, -1.0F);
}

}  // namespace cairn::ops
