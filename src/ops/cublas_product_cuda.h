// One matrix product by cuBLASLt, by the kernel that is tuned or chosen for its sizes, types and alignments (ops/gemm.h).
#pragma once

#include "ops/fp8.h"
#include "ops/op_context.h"

namespace cairn::ops::cuda {

// Of float32 or bfloat16, or of eight-bit elements of `format` with a scale.
struct ProductFactor {
  ConstTensorView elements;
  ConstTensorView scale{};
  Fp8Format format = Fp8Format::kE4M3;
};

// c (m, n), column-major, = op(a) op(b), plus `base` unless that is a null view. On Hopper eight-bit factors lie along the summed
// dim only: a transposed, b not.
struct Product {
  TensorView c;
  ConstTensorView base;
  ProductFactor a, b;
  std::int64_t m, n, k;
  bool transposes_a, transposes_b;
  Fp8Sums sums = Fp8Sums::kExact;
};

void multiply(const OpContext& ctx, const Product& p);

}  // namespace cairn::ops::cuda
