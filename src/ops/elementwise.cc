#include "ops/elementwise.h"

#include "ops/elementwise_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {

void add(const OpContext& ctx, TensorView y, ConstTensorView a, ConstTensorView b) {
  check_activation("add: y", y, a.shape());
  check_activation("add: a", a, a.shape());
  check_activation("add: b", b, a.shape());
  if (is_on_gpu(y)) {
    cuda::add(ctx, y, a, b);
    return;
  }
  cpu::add(ctx, y, a, b);
}

void fill_zero(const OpContext& ctx, TensorView y) {
  check_view("fill_zero: y", y, y.shape(), y.dtype());
  if (is_on_gpu(y)) {
    cuda::fill_zero(ctx, y);
    return;
  }
  cpu::fill_zero(ctx, y);
}

void copy(const OpContext& ctx, TensorView y, ConstTensorView x) {
  check_view("copy: y", y, x.shape(), x.dtype());
  check_view("copy: x", x, x.shape(), x.dtype());
  if (is_on_gpu(y) || is_on_gpu(x)) {
    cuda::copy(ctx, y, x);
    return;
  }
  cpu::copy(ctx, y, x);
}

void accumulate(const OpContext& ctx, TensorView y, ConstTensorView x) {
  check_view("accumulate: y", y, x.shape(), DType::kFloat32);
  check_view("accumulate: x", x, x.shape(), DType::kFloat32);
  if (is_on_gpu(y)) {
    cuda::add(ctx, y, y, x);
    return;
  }
  cpu::add(ctx, y, y, x);
}

void cast(const OpContext& ctx, TensorView y, ConstTensorView x) {
  check_view("cast: x", x, y.shape(), DType::kFloat32);
  check_activation("cast: y", y, y.shape());
  CHECK(is_on_gpu(y) && is_on_gpu(x), "cast: the CPU computes in float32 alone");
  cuda::cast(ctx, y, x);
}

}  // namespace cairn::ops
