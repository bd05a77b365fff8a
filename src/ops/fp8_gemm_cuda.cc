// Eight-bit products by cuBLASLt. On Hopper it takes both factors along the summed dim only. Row-major c = a b^T is the
// column-major c^T = b a^T in the same bytes.
#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "base/check.h"
#include "ops/fp8_backends.h"

namespace cairn::ops::cuda {
namespace {

void check(cublasStatus_t status) {
  CHECK(status == CUBLAS_STATUS_SUCCESS, std::string("cublasLt fp8: ") + cublasLtGetStatusString(status));
}

cudaDataType_t cuda_type(Fp8Format format) {
  return format == Fp8Format::kE4M3 ? CUDA_R_8F_E4M3 : CUDA_R_8F_E5M2;
}

struct Sizes {
  std::int64_t M, N, K;
  DType c;
  Fp8Format a;
  Fp8Sums sums;
  std::int64_t workspace_bytes;
  auto operator<=>(const Sizes&) const =
      default;  // NOLINT(modernize-use-nullptr): a false alarm of clang-tidy 14
};

class Fp8Plan {
 public:
  // The factors' addresses may differ from run to run; that there are factors decides which kernels will do.
  Fp8Plan(cublasLtHandle_t blas, const Sizes& sizes, const ConstFp8Tensor& a, const ConstFp8Tensor& b) {
    check(cublasLtMatmulDescCreate(&description_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    const cublasOperation_t transposed = CUBLAS_OP_T;
    const cublasOperation_t plain = CUBLAS_OP_N;
    const std::int8_t fast = sizes.sums == Fp8Sums::kFast ? 1 : 0;
    set(CUBLASLT_MATMUL_DESC_TRANSA, transposed);
    set(CUBLASLT_MATMUL_DESC_TRANSB, plain);
    set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, fast);
    const cudaDataType_t c_type = sizes.c == DType::kFloat32 ? CUDA_R_32F : CUDA_R_16BF;
    b_ = layout(CUDA_R_8F_E4M3, sizes.K, sizes.N);
    a_ = layout(cuda_type(sizes.a), sizes.K, sizes.M);
    c_ = layout(c_type, sizes.N, sizes.M);
    set_factors(a, b);
    choose(blas, sizes.workspace_bytes);
  }
  Fp8Plan(const Fp8Plan&) = delete;
  Fp8Plan& operator=(const Fp8Plan&) = delete;
  ~Fp8Plan() {
    cublasLtMatrixLayoutDestroy(a_);
    cublasLtMatrixLayoutDestroy(b_);
    cublasLtMatrixLayoutDestroy(c_);
    cublasLtMatmulDescDestroy(description_);
  }

  void run(const OpContext& ctx, const TensorView& c, const ConstFp8Tensor& a, const ConstFp8Tensor& b,
           WriteMode mode) {
    const float alpha = 1.0F;
    const float beta = mode == WriteMode::kAdd ? 1.0F : 0.0F;
    set_factors(a, b);
    check(cublasLtMatmul(static_cast<cublasLtHandle_t>(ctx.device->blas()), description_, &alpha,
                         b.elements.bytes(), b_, a.elements.bytes(), a_, &beta, c.bytes(), c_, c.bytes(), c_,
                         &algorithm_, ctx.workspace.bytes(),
                         static_cast<std::size_t>(ctx.workspace.num_bytes()),
                         static_cast<cudaStream_t>(ctx.device->stream())));
  }

 private:
  void set_factors(const ConstFp8Tensor& a, const ConstFp8Tensor& b) {
    set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, factor_of(b));
    set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, factor_of(a));
  }
  // The first of the two numbers: the library takes addresses that are multiples of 16 only.
  static const void* factor_of(const ConstFp8Tensor& tensor) { return tensor.scale.bytes(); }
  static cublasLtMatrixLayout_t layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
    cublasLtMatrixLayout_t made = nullptr;
    check(cublasLtMatrixLayoutCreate(&made, type, static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), rows));
    return made;
  }
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(cublasLtMatmulDescSetAttribute(description_, attribute, &value, sizeof(value)));
  }
  // The library's first choice; it depends on sizes alone, so that two runs have the same bits.
  void choose(cublasLtHandle_t blas, std::int64_t workspace_bytes) {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference));
    const auto limit = static_cast<std::size_t>(workspace_bytes);
    check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &limit,
                                               sizeof(limit)));
    cublasLtMatmulHeuristicResult_t result{};
    int num_results = 0;
    check(cublasLtMatmulAlgoGetHeuristic(blas, description_, b_, a_, c_, c_, preference, 1, &result,
                                         &num_results));
    check(cublasLtMatmulPreferenceDestroy(preference));
    CHECK(num_results == 1, "cublasLt knows no algorithm for an eight-bit product");
    algorithm_ = result.algo;
  }

  cublasLtMatmulDesc_t description_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, c_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
};

using Fp8Plans = std::map<Sizes, Fp8Plan>;

}  // namespace

void fp8_multiply(const OpContext& ctx, TensorView c_MN, const ConstFp8Tensor& a_MK,
                  const ConstFp8Tensor& b_NK, Fp8Sums sums, WriteMode mode) {
  CHECK(ctx.device != nullptr, "an op on a GPU's tensors needs the GPU in its context");
  const Sizes sizes{c_MN.dim(0), c_MN.dim(1), a_MK.elements.dim(1),     c_MN.dtype(),
                    a_MK.format, sums,        ctx.workspace.num_bytes()};
  if (sizes.M == 0 || sizes.N == 0) {
    return;
  }
  auto& plans = ctx.device->op_state<Fp8Plans>();
  auto plan = plans.find(sizes);
  if (plan == plans.end()) {
    plan =
        plans.try_emplace(sizes, static_cast<cublasLtHandle_t>(ctx.device->blas()), sizes, a_MK, b_NK).first;
  }
  plan->second.run(ctx, c_MN, a_MK, b_NK, mode);
  ctx.device->check_launch("fp8 gemm");
}

}  // namespace cairn::ops::cuda
