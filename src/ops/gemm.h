// Matrix products of a linear layer, float32, and the one GEMM below them.
// Thread-safe for distinct outputs and contexts.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "ops/op_context.h"

namespace cairn::ops {

// Every output element is one chain  c = fma(a_k, b_k, c)  for k = 0, 1, ... K-1, starting from 0 (or from
// the old value with WriteMode::kAdd). The bits therefore do not depend on threads, on blocking, on how
// M, N or K are cut into calls (K with kAdd), or on the instruction set, and equal those of three plain loops.
//
//   y_NO  (N, O) float32   = or +=, per mode; must not alias the inputs
//   x_NI  (N, I) float32
//   w_OI  (O, I) float32
// y = x w^T
void linear_forward(const OpContext& ctx, TensorView y_NO, ConstTensorView x_NI, ConstTensorView w_OI,
                    WriteMode mode);

// y = base + x w^T.   base_NO (N, O); y may be base, and neither may alias the inputs.
void linear_forward_onto(const OpContext& ctx, TensorView y_NO, ConstTensorView base_NO, ConstTensorView x_NI,
                         ConstTensorView w_OI);

// dx = dy w.   dx_NI (N, I), dy_NO (N, O), w_OI (O, I), all float32.
void linear_backward_input(const OpContext& ctx, TensorView dx_NI, ConstTensorView dy_NO,
                           ConstTensorView w_OI, WriteMode mode);

// dw += dy^T x.   dw_OI (O, I), dy_NO (N, O), x_NI (N, I), all float32. Adds, in row order of N.
void linear_backward_weight(const OpContext& ctx, TensorView dw_OI, ConstTensorView dy_NO,
                            ConstTensorView x_NI);

// On a GPU cuBLASLt has several kernels for a product. Untuned, its own first choice is taken, which depends on sizes and
// alignment alone. While tuning, each product that has no choice yet is run with several kernels and the fastest is kept:
// tensors that products add to hold nothing of use afterwards. No choice makes bits differ from run to run.
void set_product_tuning(CudaDevice& device, bool is_on);
// The choices made so far as text for a file, and back. kBadConfig: not such a text, or of another GPU or library.
std::string product_choices(CudaDevice& device);
[[nodiscard]] Status use_product_choices(CudaDevice& device, std::string_view text);

}  // namespace cairn::ops
