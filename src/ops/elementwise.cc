#include "ops/elementwise.h"

#include "ops/elementwise_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {

void add(const OpContext& ctx, TensorView y, ConstTensorView a, ConstTensorView b) {
  check_view("add: y", y, a.shape(), DType::kFloat32);
  check_view("add: a", a, a.shape(), DType::kFloat32);
  check_view("add: b", b, a.shape(), DType::kFloat32);
  check_on_cpu("add", y);
  cpu::add(ctx, y, a, b);
}

void fill_zero(const OpContext& ctx, TensorView y) {
  check_view("fill_zero: y", y, y.shape(), y.dtype());
  check_on_cpu("fill_zero", y);
  cpu::fill_zero(ctx, y);
}

void copy(const OpContext& ctx, TensorView y, ConstTensorView x) {
  check_view("copy: y", y, x.shape(), x.dtype());
  check_view("copy: x", x, x.shape(), x.dtype());
  check_on_cpu("copy", y);
  cpu::copy(ctx, y, x);
}

void accumulate(const OpContext& ctx, TensorView y, ConstTensorView x) {
  check_view("accumulate: y", y, x.shape(), DType::kFloat32);
  check_view("accumulate: x", x, x.shape(), DType::kFloat32);
  check_on_cpu("accumulate", y);
  cpu::add(ctx, y, y, x);
}

}  // namespace cairn::ops
