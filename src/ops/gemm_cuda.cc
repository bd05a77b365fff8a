// The products of a linear layer on a GPU: float32 (never TF32) or bfloat16 factors, sums in float32. Row-major matrices are
// handed over as their transposes, which are column-major in the same bytes.
#include "ops/cublas_product_cuda.h"
#include "ops/gemm_backends.h"

namespace cairn::ops::cuda {
void linear_forward(const OpContext& ctx, TensorView y_NO, ConstTensorView x_NI, ConstTensorView w_OI,
                    WriteMode mode) {
  multiply(ctx,
           {y_NO, base_of(y_NO, mode), {w_OI}, {x_NI}, w_OI.dim(0), x_NI.dim(0), x_NI.dim(1), true, false});
}

void linear_forward_onto(const OpContext& ctx, TensorView y_NO, ConstTensorView base_NO, ConstTensorView x_NI,
                         ConstTensorView w_OI) {
  multiply(ctx, {y_NO, base_NO, {w_OI}, {x_NI}, w_OI.dim(0), x_NI.dim(0), x_NI.dim(1), true, false});
}

void linear_backward_input(const OpContext& ctx, TensorView dx_NI, ConstTensorView dy_NO,
                           ConstTensorView w_OI, WriteMode mode) {
  multiply(
      ctx,
      {dx_NI, base_of(dx_NI, mode), {w_OI}, {dy_NO}, w_OI.dim(1), dy_NO.dim(0), dy_NO.dim(1), false, false});
}

void linear_backward_weight(const OpContext& ctx, TensorView dw_OI, ConstTensorView dy_NO,
                            ConstTensorView x_NI) {
  multiply(ctx, {dw_OI, dw_OI, {x_NI}, {dy_NO}, x_NI.dim(1), dy_NO.dim(1), x_NI.dim(0), false, true});
}

}  // namespace cairn::ops::cuda
