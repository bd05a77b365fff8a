// Eight-bit matrix products on a GPU (Micikevicius et al. 2022, arXiv:2209.05433): tensors rounded to E4M3 or E5M2 with one
// scale each, taken from their largest magnitude at that moment ("current scaling"), products of them with float32 sums.
// On a GPU only; a program built without CUDA aborts.
#pragma once

#include "ops/activation.h"
#include "ops/op_context.h"

namespace cairn::ops {

// E4M3: largest 448, for weights and activations. E5M2: largest 57,344, for gradients.
enum class Fp8Format : unsigned char { kE4M3, kE5M2 };

// A rounded tensor: eight-bit elements (held as uint8) and the factor that gives values back.
struct Fp8Tensor {
  TensorView elements;  // uint8
  TensorView scale;     // (2) float32: the factor, and the largest magnitude of the tensor
  Fp8Format format = Fp8Format::kE4M3;

  // Where an op that makes the tensor leaves its largest magnitude.
  TensorView amax() const { return scale.rows(1, 1); }
};
struct ConstFp8Tensor {
  ConstTensorView elements, scale;
  Fp8Format format = Fp8Format::kE4M3;
};

// What is rounded: x as it is, or an activation of it, which is then never written in more than eight bits.
struct Fp8Source {
  enum class Kind : unsigned char { kPlain, kXielu, kSwiglu };

  Fp8Source(ConstTensorView x) : x_RC(x) {}  // NOLINT(google-explicit-constructor)
  Fp8Source(TensorView x) : x_RC(x) {}       // NOLINT(google-explicit-constructor)
  // x, whose largest magnitude the op that made it has left in the tensor's amax().
  static Fp8Source measured(ConstTensorView x_RC);
  // ops/activation.h
  static Fp8Source xielu(ConstTensorView x_RC, ConstTensorView a_p, ConstTensorView a_n,
                         XieluConstants constants);
  static Fp8Source swiglu(ConstTensorView gate_RC, ConstTensorView up_RC);

  ConstTensorView x_RC;  // float32 or bfloat16
  bool is_measured = false;
  Kind kind = Kind::kPlain;
  ConstTensorView gate_RC, a_p, a_n;
  XieluConstants constants;
};

// Products want both factors along the dim that is summed, so that a tensor is rounded as it lies and transposed, in one
// pass: element = round(x / factor), factor = largest |x| / largest of the format (1 for a tensor of zeros).
//   rows.elements     (R, C) uint8  = ; or a null view
//   columns.elements  (C, R) uint8  = ; or a null view; of the same format
//   rows.scale        (2) float32   = ; columns.scale is the same tensor
//   x                 (R, C); R and C are multiples of 16
// Elements round to nearest even and saturate; a NaN or an infinity makes the factor so, and with it every product.
void fp8_round(const OpContext& ctx, const Fp8Tensor& rows, const Fp8Tensor& columns, const Fp8Source& x);

// amax (1) float32 = the largest |x|; x (R, C) float32 or bfloat16.
void fp8_measure(const OpContext& ctx, TensorView amax, ConstTensorView x_RC);

// Sums in float32 whose parts may be kept with fewer bits (the tensor cores' fast accumulation), or not.
enum class Fp8Sums : unsigned char { kFast, kExact };

// c = base + a b^T.   c (M, N) bfloat16 or float32; base like c, may be c, or a null view for zeros; a (M, K) of either format,
// b (N, K) E4M3; sizes multiples of 16. Kernels are chosen as those of other products (ops/gemm.h).
void fp8_multiply(const OpContext& ctx, TensorView c_MN, ConstTensorView base_MN, const ConstFp8Tensor& a_MK,
                  const ConstFp8Tensor& b_NK, Fp8Sums sums);

}  // namespace cairn::ops
