#include "ops/gemm.h"

#include "base/check.h"
#include "ops/elementwise.h"
#include "ops/gemm_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {

namespace {

void check_float_matrix(const ConstTensorView& view, std::int64_t rows, std::int64_t columns,
                        const char* message) {
  CHECK(view.rank() == 2, message);
  CHECK(view.dtype() == DType::kFloat32 || (is_on_gpu(view) && view.dtype() == DType::kBFloat16), message);
  CHECK(view.dim(0) == rows && view.dim(1) == columns, message);
}

}  // namespace

void linear_forward(const OpContext& ctx, TensorView y_NO, ConstTensorView x_NI, ConstTensorView w_OI,
                    WriteMode mode) {
  CHECK(x_NI.rank() == 2 && w_OI.rank() == 2, "linear_forward takes matrices");
  const std::int64_t N = x_NI.dim(0);
  const std::int64_t I = x_NI.dim(1);
  const std::int64_t O = w_OI.dim(0);
  check_float_matrix(y_NO, N, O, "linear_forward: y is (N, O) float32");
  check_float_matrix(x_NI, N, I, "linear_forward: x is (N, I) float32");
  check_float_matrix(w_OI, O, I, "linear_forward: w is (O, I) float32");
  if (is_on_gpu(y_NO)) {
    cuda::linear_forward(ctx, y_NO, x_NI, w_OI, mode);
    return;
  }
  cpu::gemm(ctx, {.c = y_NO.data<float>(),
                  .a = x_NI.data<float>(),
                  .b = w_OI.data<float>(),
                  .m = N,
                  .n = O,
                  .k = I,
                  .ldc = O,
                  .lda = I,
                  .ldb = I,
                  .a_is_k_major = false,
                  .b_is_k_major = false,
                  .mode = mode});
}

void linear_forward_onto(const OpContext& ctx, TensorView y_NO, ConstTensorView base_NO, ConstTensorView x_NI,
                         ConstTensorView w_OI) {
  check_float_matrix(base_NO, y_NO.dim(0), y_NO.dim(1), "linear_forward_onto: base is (N, O) float32");
  if (!is_on_gpu(y_NO)) {
    copy(ctx, y_NO, base_NO);
    linear_forward(ctx, y_NO, x_NI, w_OI, WriteMode::kAdd);
    return;
  }
  check_float_matrix(y_NO, x_NI.dim(0), w_OI.dim(0), "linear_forward_onto: y is (N, O) float32");
  check_float_matrix(w_OI, w_OI.dim(0), x_NI.dim(1), "linear_forward_onto: w is (O, I) float32");
  cuda::linear_forward_onto(ctx, y_NO, base_NO, x_NI, w_OI);
}

void linear_backward_input(const OpContext& ctx, TensorView dx_NI, ConstTensorView dy_NO,
                           ConstTensorView w_OI, WriteMode mode) {
  CHECK(dy_NO.rank() == 2 && w_OI.rank() == 2, "linear_backward_input takes matrices");
  const std::int64_t N = dy_NO.dim(0);
  const std::int64_t O = w_OI.dim(0);
  const std::int64_t I = w_OI.dim(1);
  check_float_matrix(dx_NI, N, I, "linear_backward_input: dx is (N, I) float32");
  check_float_matrix(dy_NO, N, O, "linear_backward_input: dy is (N, O) float32");
  if (is_on_gpu(dx_NI)) {
    cuda::linear_backward_input(ctx, dx_NI, dy_NO, w_OI, mode);
    return;
  }
  check_float_matrix(w_OI, O, I, "linear_backward_input: w is (O, I) float32");
  cpu::gemm(ctx, {.c = dx_NI.data<float>(),
                  .a = dy_NO.data<float>(),
                  .b = w_OI.data<float>(),
                  .m = N,
                  .n = I,
                  .k = O,
                  .ldc = I,
                  .lda = O,
                  .ldb = I,
                  .a_is_k_major = false,
                  .b_is_k_major = true,
                  .mode = mode});
}

void linear_backward_weight(const OpContext& ctx, TensorView dw_OI, ConstTensorView dy_NO,
                            ConstTensorView x_NI) {
  CHECK(dy_NO.rank() == 2 && x_NI.rank() == 2, "linear_backward_weight takes matrices");
  const std::int64_t N = dy_NO.dim(0);
  const std::int64_t O = dy_NO.dim(1);
  const std::int64_t I = x_NI.dim(1);
  check_float_matrix(dw_OI, O, I, "linear_backward_weight: dw is (O, I) float32");
  check_float_matrix(dy_NO, N, O, "linear_backward_weight: dy is (N, O) float32");
  check_float_matrix(x_NI, N, I, "linear_backward_weight: x is (N, I) float32");
  if (is_on_gpu(dw_OI)) {
    cuda::linear_backward_weight(ctx, dw_OI, dy_NO, x_NI);
    return;
  }
  cpu::gemm(ctx, {.c = dw_OI.data<float>(),
                  .a = dy_NO.data<float>(),
                  .b = x_NI.data<float>(),
                  .m = O,
                  .n = I,
                  .k = N,
                  .ldc = I,
                  .lda = O,
                  .ldb = I,
                  .a_is_k_major = true,
                  .b_is_k_major = true,
                  .mode = WriteMode::kAdd});
}

void set_product_tuning(CudaDevice& device, bool is_on) {
  cuda::set_product_tuning(device, is_on);
}

std::string product_choices(CudaDevice& device) {
  return cuda::product_choices(device);
}

Status use_product_choices(CudaDevice& device, std::string_view text) {
  return cuda::use_product_choices(device, text);
}

}  // namespace cairn::ops
