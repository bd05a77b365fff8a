// Row-major c = a b^T is the column-major c^T = b a^T in the same bytes.
#include "ops/cublas_product_cuda.h"
#include "ops/fp8_backends.h"

namespace cairn::ops::cuda {

void fp8_multiply(const OpContext& ctx, TensorView c_MN, ConstTensorView base_MN, const ConstFp8Tensor& a_MK,
                  const ConstFp8Tensor& b_NK, Fp8Sums sums) {
  multiply(ctx, {c_MN,
                 base_MN,
                 {b_NK.elements, b_NK.scale, b_NK.format},
                 {a_MK.elements, a_MK.scale, a_MK.format},
                 c_MN.dim(1),
                 c_MN.dim(0),
                 a_MK.elements.dim(1),
                 true,
                 false,
                 sums});
}

}  // namespace cairn::ops::cuda
