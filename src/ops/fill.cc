#include "ops/fill.h"

#include "ops/fill_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {

void fill_constant(const OpContext& ctx, TensorView y, float value) {
  check_view("fill_constant: y", y, y.shape(), DType::kFloat32);
  if (is_on_gpu(y)) {
    cuda::fill_constant(ctx, y, value);
    return;
  }
  cpu::fill_constant(ctx, y, value);
}

void fill_normal(const OpContext& ctx, TensorView y, const NormalNumbers& numbers) {
  check_view("fill_normal: y", y, y.shape(), DType::kFloat32);
  if (is_on_gpu(y)) {
    cuda::fill_normal(ctx, y, numbers);
    return;
  }
  cpu::fill_normal(ctx, y, numbers);
}

}  // namespace cairn::ops
