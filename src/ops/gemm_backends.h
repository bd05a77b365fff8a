// The CPU body of the matrix products, and the one-thread product on strided blocks that attention uses too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "ops/op_context.h"

namespace cairn::ops::cpu {

// c (m, n) = or += a b, where element (i, k) of a is a[i * lda + k], or a[k * lda + i] when a_is_k_major, and
// element (k, j) of b is b[k * ldb + j] when b_is_k_major, or b[j * ldb + k]. c is row-major with stride ldc.
// Every element of c is one chain of fma over k in order; see gemm.h.
struct Gemm {
  float* c = nullptr;
  const float* a = nullptr;
  const float* b = nullptr;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t ldc = 0, lda = 0, ldb = 0;
  bool a_is_k_major = false;
  bool b_is_k_major = false;
  WriteMode mode = WriteMode::kOverwrite;
};

// Bytes of scratch that one thread needs, a multiple of kTensorAlignment.
std::int64_t gemm_scratch_bytes();

// On all threads of the pool; scratch from ctx.workspace.
void gemm(const OpContext& ctx, const Gemm& args);

// On the calling thread. scratch: gemm_scratch_bytes() bytes aligned to kTensorAlignment.
void gemm_on_one_thread(const Gemm& args, std::byte* scratch);

}  // namespace cairn::ops::cpu

namespace cairn::ops::cuda {

void linear_forward(const OpContext& ctx, TensorView y_NO, ConstTensorView x_NI, ConstTensorView w_OI,
                    WriteMode mode);
void linear_forward_onto(const OpContext& ctx, TensorView y_NO, ConstTensorView base_NO, ConstTensorView x_NI,
                         ConstTensorView w_OI);
void linear_backward_input(const OpContext& ctx, TensorView dx_NI, ConstTensorView dy_NO,
                           ConstTensorView w_OI, WriteMode mode);
void linear_backward_weight(const OpContext& ctx, TensorView dw_OI, ConstTensorView dy_NO,
                            ConstTensorView x_NI);
void set_product_tuning(CudaDevice& device, bool is_on);
std::string product_choices(CudaDevice& device);
Status use_product_choices(CudaDevice& device, std::string_view text);

}  // namespace cairn::ops::cuda
