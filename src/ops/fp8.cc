#include "ops/fp8.h"

#include "ops/fp8_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {
namespace {

constexpr std::int64_t kGranule = 16;  // elements, of tensor cores and of the transposing kernel

void check_sizes(const char* op, const Shape& shape) {
  CHECK(shape.dim(0) % kGranule == 0 && shape.dim(1) % kGranule == 0,
        std::string(op) + ": sizes are multiples of 16, got " + shape.to_string());
}

void check_source(const Fp8Source& x) {
  check_rank("fp8_round: x_RC", x.x_RC, 2);
  check_activation("fp8_round: x_RC", x.x_RC, x.x_RC.shape());
  check_sizes("fp8_round", x.x_RC.shape());
  CHECK(is_on_gpu(x.x_RC), "fp8_round runs on a GPU");
  if (x.kind == Fp8Source::Kind::kXielu) {
    check_view("fp8_round: a_p", x.a_p, Shape{1}, DType::kFloat32);
    check_view("fp8_round: a_n", x.a_n, Shape{1}, DType::kFloat32);
  } else if (x.kind == Fp8Source::Kind::kSwiglu) {
    check_view("fp8_round: gate_RC", x.gate_RC, x.x_RC.shape(), x.x_RC.dtype());
  }
}

}  // namespace

Fp8Source Fp8Source::measured(ConstTensorView x_RC) {
  Fp8Source source(x_RC);
  source.is_measured = true;
  return source;
}

Fp8Source Fp8Source::xielu(ConstTensorView x_RC, ConstTensorView a_p, ConstTensorView a_n,
                           XieluConstants constants) {
  Fp8Source source(x_RC);
  source.kind = Kind::kXielu;
  source.a_p = a_p;
  source.a_n = a_n;
  source.constants = constants;
  return source;
}

Fp8Source Fp8Source::swiglu(ConstTensorView gate_RC, ConstTensorView up_RC) {
  Fp8Source source(up_RC);
  source.kind = Kind::kSwiglu;
  source.gate_RC = gate_RC;
  return source;
}

void fp8_round(const OpContext& ctx, const Fp8Tensor& rows, const Fp8Tensor& columns, const Fp8Source& x) {
  check_source(x);
  const Shape& shape = x.x_RC.shape();
  CHECK(!rows.elements.is_null() || !columns.elements.is_null(), "fp8_round: nothing to write");
  CHECK(rows.format == columns.format, "fp8_round: rows and columns of two formats");
  check_view("fp8_round: scale", rows.scale, Shape{2}, DType::kFloat32);
  if (!rows.elements.is_null()) {
    check_view("fp8_round: rows", rows.elements, shape, DType::kUint8);
  }
  if (!columns.elements.is_null()) {
    check_view("fp8_round: columns", columns.elements, Shape{shape.dim(1), shape.dim(0)}, DType::kUint8);
  }
  cuda::fp8_round(ctx, rows, columns, x);
}

void fp8_measure(const OpContext& ctx, TensorView amax, ConstTensorView x_RC) {
  check_rank("fp8_measure: x_RC", x_RC, 2);
  check_activation("fp8_measure: x_RC", x_RC, x_RC.shape());
  check_sizes("fp8_measure", x_RC.shape());
  check_view("fp8_measure: amax", amax, Shape{1}, DType::kFloat32);
  CHECK(is_on_gpu(x_RC), "fp8_measure runs on a GPU");
  cuda::fp8_measure(ctx, amax, x_RC);
}

void fp8_multiply(const OpContext& ctx, TensorView c_MN, ConstTensorView base_MN, const ConstFp8Tensor& a_MK,
                  const ConstFp8Tensor& b_NK, Fp8Sums sums) {
  check_rank("fp8_multiply: a_MK", a_MK.elements, 2);
  check_rank("fp8_multiply: b_NK", b_NK.elements, 2);
  const std::int64_t K = a_MK.elements.dim(1);
  check_view("fp8_multiply: b_NK", b_NK.elements, Shape{b_NK.elements.dim(0), K}, DType::kUint8);
  check_activation("fp8_multiply: c_MN", c_MN, Shape{a_MK.elements.dim(0), b_NK.elements.dim(0)});
  if (!base_MN.is_null()) {
    check_view("fp8_multiply: base_MN", base_MN, c_MN.shape(), c_MN.dtype());
  }
  check_view("fp8_multiply: scale of a_MK", a_MK.scale, Shape{2}, DType::kFloat32);
  check_view("fp8_multiply: scale of b_NK", b_NK.scale, Shape{2}, DType::kFloat32);
  check_sizes("fp8_multiply: a_MK", a_MK.elements.shape());
  check_sizes("fp8_multiply: b_NK", b_NK.elements.shape());
  CHECK(b_NK.format == Fp8Format::kE4M3, "fp8_multiply: the second factor is E4M3");
  CHECK(is_on_gpu(c_MN), "fp8_multiply runs on a GPU");
  cuda::fp8_multiply(ctx, c_MN, base_MN, a_MK, b_NK, sums);
}

}  // namespace cairn::ops
