// How cuBLASLt is asked for a product, which of its kernels runs, and the file of choices.
#include "ops/cublas_product_cuda.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "base/check.h"
#include "ops/gemm_backends.h"

namespace cairn::ops::cuda {
namespace {

cudaDataType_t cuda_type(DType dtype) {
  CHECK(dtype == DType::kFloat32 || dtype == DType::kBFloat16, "the GPU computes in float32 or bfloat16");
  return dtype == DType::kFloat32 ? CUDA_R_32F : CUDA_R_16BF;
}

cudaDataType_t cuda_type(const ProductFactor& factor) {
  if (factor.scale.is_null()) {
    return cuda_type(factor.elements.dtype());
  }
  return factor.format == Fp8Format::kE4M3 ? CUDA_R_8F_E4M3 : CUDA_R_8F_E5M2;
}

void check(cublasStatus_t status) {
  CHECK(status == CUBLAS_STATUS_SUCCESS, std::string("cublasLt: ") + cublasLtGetStatusString(status));
}

// The widest alignment, up to 16 bytes, that an address has.
std::uint32_t alignment(const std::byte* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  return static_cast<std::uint32_t>(std::min<std::uintptr_t>(address & (~address + 1), 16));
}

// All that a choice may depend on.
using Key = std::array<std::int64_t, 14>;

Key key_of(const OpContext& ctx, const Product& p) {
  const auto base_alignment = p.base.is_null() ? 0 : alignment(p.base.bytes());
  return {p.m,
          p.n,
          p.k,
          p.transposes_a ? 1 : 0,
          p.transposes_b ? 1 : 0,
          static_cast<std::int64_t>(cuda_type(p.a)),
          static_cast<std::int64_t>(cuda_type(p.b)),
          static_cast<std::int64_t>(cuda_type(p.c.dtype())),
          p.sums == Fp8Sums::kFast ? 1 : 0,
          alignment(p.a.elements.bytes()),
          alignment(p.b.elements.bytes()),
          alignment(p.c.bytes()),
          base_alignment,
          ctx.workspace.num_bytes()};
}

// One product as cuBLASLt sees it: factors, layouts, and the kernels that it offers.
class Description {
 public:
  explicit Description(const Product& p) {
    check(cublasLtMatmulDescCreate(&description_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    const cublasOperation_t a_op = p.transposes_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t b_op = p.transposes_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    set(CUBLASLT_MATMUL_DESC_TRANSA, a_op);
    set(CUBLASLT_MATMUL_DESC_TRANSB, b_op);
    set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, static_cast<std::int8_t>(p.sums == Fp8Sums::kFast ? 1 : 0));
    a_ = layout(cuda_type(p.a), p.transposes_a ? p.k : p.m, p.transposes_a ? p.m : p.k);
    b_ = layout(cuda_type(p.b), p.transposes_b ? p.n : p.k, p.transposes_b ? p.k : p.n);
    c_ = layout(cuda_type(p.c.dtype()), p.m, p.n);
    set_scales(p);  // that there are scales decides which kernels will do
  }
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;
  ~Description() {
    cublasLtMatrixLayoutDestroy(a_);
    cublasLtMatrixLayoutDestroy(b_);
    cublasLtMatrixLayoutDestroy(c_);
    cublasLtMatmulDescDestroy(description_);
  }

  cublasStatus_t run(const OpContext& ctx, const Product& p, const cublasLtMatmulAlgo_t& algorithm) {
    set_scales(p);
    const float alpha = 1.0F;
    const float beta = p.base.is_null() ? 0.0F : 1.0F;
    const void* const base = p.base.is_null() ? p.c.bytes() : p.base.bytes();
    return cublasLtMatmul(
        static_cast<cublasLtHandle_t>(ctx.device->blas()), description_, &alpha, p.a.elements.bytes(), a_,
        p.b.elements.bytes(), b_, &beta, base, c_, p.c.bytes(), c_, &algorithm, ctx.workspace.bytes(),
        static_cast<std::size_t>(ctx.workspace.num_bytes()), static_cast<cudaStream_t>(ctx.device->stream()));
  }

  // The library's candidates, its favourite first: none that adds in varying order.
  std::vector<cublasLtMatmulAlgo_t> candidates(const OpContext& ctx, const Product& p, int count) const {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference));
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)));
    };
    const auto workspace_bytes = static_cast<std::size_t>(ctx.workspace.num_bytes());
    const std::uint32_t reductions =
        CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(p.a.elements.bytes()));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(p.b.elements.bytes()));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
        alignment(p.base.is_null() ? p.c.bytes() : p.base.bytes()));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(p.c.bytes()));
    std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<std::size_t>(count));
    int num_results = 0;
    check(cublasLtMatmulAlgoGetHeuristic(static_cast<cublasLtHandle_t>(ctx.device->blas()), description_, a_,
                                         b_, c_, c_, preference, count, results.data(), &num_results));
    check(cublasLtMatmulPreferenceDestroy(preference));
    std::vector<cublasLtMatmulAlgo_t> algorithms;
    algorithms.reserve(static_cast<std::size_t>(num_results));
    for (int i = 0; i < num_results; ++i) {
      algorithms.push_back(results[static_cast<std::size_t>(i)].algo);
    }
    CHECK(!algorithms.empty(), "cublasLt knows no algorithm for a matrix product");
    return algorithms;
  }

 private:
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(cublasLtMatmulDescSetAttribute(description_, attribute, &value, sizeof(value)));
  }
  // The first of a scale's two numbers: the library takes addresses that are multiples of 16 only.
  void set_scales(const Product& p) {
    if (!p.a.scale.is_null()) {
      set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, static_cast<const void*>(p.a.scale.bytes()));
      set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, static_cast<const void*>(p.b.scale.bytes()));
    }
  }
  static cublasLtMatrixLayout_t layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
    cublasLtMatrixLayout_t made = nullptr;
    check(cublasLtMatrixLayoutCreate(&made, type, static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), rows));
    return made;
  }

  cublasLtMatmulDesc_t description_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, c_ = nullptr;
};

struct Plan {
  explicit Plan(const Product& p) : description(p) {}
  Description description;
  cublasLtMatmulAlgo_t algorithm{};
};

// Of one device.
struct Products {
  std::map<Key, Plan> plans;
  std::map<Key, cublasLtMatmulAlgo_t> choices;  // tuned, or read from a file
  bool is_tuning = false;
};

// Milliseconds of one run after a first one; infinite where the kernel refuses.
float measure_ms(const OpContext& ctx, const Product& p, Description& description,
                 const cublasLtMatmulAlgo_t& algorithm) {
  constexpr int kRuns = 3;
  const auto stream = static_cast<cudaStream_t>(ctx.device->stream());
  if (description.run(ctx, p, algorithm) != CUBLAS_STATUS_SUCCESS) {
    return std::numeric_limits<float>::infinity();
  }
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  cudaEventRecord(begin, stream);
  for (int i = 0; i < kRuns; ++i) {
    check(description.run(ctx, p, algorithm));
  }
  cudaEventRecord(end, stream);
  float elapsed_ms = std::numeric_limits<float>::infinity();
  if (cudaEventSynchronize(end) == cudaSuccess) {
    cudaEventElapsedTime(&elapsed_ms, begin, end);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  ctx.device->check_launch("tuning of a matrix product");
  return elapsed_ms / kRuns;
}

// The fastest candidate. The library's favourite stays unless another is clearly faster.
cublasLtMatmulAlgo_t tuned(const OpContext& ctx, const Product& p, Description& description) {
  constexpr int kCandidates = 32;
  constexpr float kClearly = 0.99F;
  const std::vector<cublasLtMatmulAlgo_t> candidates = description.candidates(ctx, p, kCandidates);
  std::size_t best = 0;
  float best_ms = measure_ms(ctx, p, description, candidates[0]) * kClearly;
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    const float ms = measure_ms(ctx, p, description, candidates[i]);
    if (ms < best_ms) {
      best = i;
      best_ms = ms;
    }
  }
  return candidates[best];
}

Plan& plan_of(const OpContext& ctx, const Product& p) {
  Products& products = ctx.device->op_state<Products>();
  const Key key = key_of(ctx, p);
  const auto choice = products.choices.find(key);
  const auto known = products.plans.find(key);
  if (known != products.plans.end() && (choice != products.choices.end() || !products.is_tuning)) {
    return known->second;
  }
  Plan& plan = products.plans.try_emplace(key, p).first->second;
  if (choice != products.choices.end()) {
    plan.algorithm = choice->second;
  } else if (products.is_tuning) {
    plan.algorithm = tuned(ctx, p, plan.description);
    products.choices[key] = plan.algorithm;
  } else {
    plan.algorithm = plan.description.candidates(ctx, p, 1).front();
  }
  return plan;
}

constexpr std::string_view kChoicesFormat = "cairn product choices 2";

// The first line of a file of choices: what they are valid for.
std::string choices_header(const CudaDevice& device) {
  return fmt::format("{}, cublasLt {}, {}", kChoicesFormat, cublasLtGetVersion(), device.name());
}

constexpr std::size_t kAlgorithmWords = std::size(cublasLtMatmulAlgo_t{}.data);

}  // namespace

void multiply(const OpContext& ctx, const Product& p) {
  CHECK(ctx.device != nullptr, "an op on a GPU's tensors needs the GPU in its context");
  if (p.m == 0 || p.n == 0) {
    return;
  }
  Plan& plan = plan_of(ctx, p);
  check(plan.description.run(ctx, p, plan.algorithm));
  ctx.device->check_launch("gemm");
}

void set_product_tuning(CudaDevice& device, bool is_on) {
  device.op_state<Products>().is_tuning = is_on;
}

std::string product_choices(CudaDevice& device) {
  std::string text = choices_header(device) + "\n";
  for (const auto& [key, algorithm] : device.op_state<Products>().choices) {
    text += fmt::format("{} :", fmt::join(key, " "));
    for (const std::uint64_t word : algorithm.data) {
      text += fmt::format(" {:016x}", word);
    }
    text += "\n";
  }
  return text;
}

Status use_product_choices(CudaDevice& device, std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string line;
  std::getline(lines, line);
  if (line != choices_header(device)) {
    return bad_config(fmt::format("the choices of matrix products are for \"{}\", here is \"{}\"", line,
                                  choices_header(device)));
  }
  std::map<Key, cublasLtMatmulAlgo_t> choices;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    Key key{};
    cublasLtMatmulAlgo_t algorithm{};
    std::string colon;
    std::string rest;
    for (std::int64_t& number : key) {
      words >> number;
    }
    words >> colon >> std::hex;
    for (std::size_t i = 0; i < kAlgorithmWords; ++i) {
      words >> algorithm.data[i];
    }
    if (!words || colon != ":" || (words >> rest)) {
      return bad_config(fmt::format("not a choice of a matrix product: \"{}\"", line));
    }
    choices[key] = algorithm;
  }
  device.op_state<Products>().choices = std::move(choices);
  device.op_state<Products>().plans.clear();
  return ok_status();
}

}  // namespace cairn::ops::cuda
