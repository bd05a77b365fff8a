#include "device/cuda/cublas_lt.h"

#include <string>
#include <type_traits>

#include <fmt/format.h>

#include <cublasLt.h>

#include "base/check.h"
#include "doors/shared_library.h"

namespace cairn {
namespace {

// The library's functions of the same names.
struct Functions {
  decltype(&::cublasLtCreate) cublasLtCreate = nullptr;
  decltype(&::cublasLtDestroy) cublasLtDestroy = nullptr;
  decltype(&::cublasLtMatmulDescCreate) cublasLtMatmulDescCreate = nullptr;
  decltype(&::cublasLtMatmulDescDestroy) cublasLtMatmulDescDestroy = nullptr;
  decltype(&::cublasLtMatmulDescSetAttribute) cublasLtMatmulDescSetAttribute = nullptr;
  decltype(&::cublasLtMatrixLayoutCreate) cublasLtMatrixLayoutCreate = nullptr;
  decltype(&::cublasLtMatrixLayoutDestroy) cublasLtMatrixLayoutDestroy = nullptr;
  decltype(&::cublasLtMatmulPreferenceCreate) cublasLtMatmulPreferenceCreate = nullptr;
  decltype(&::cublasLtMatmulPreferenceDestroy) cublasLtMatmulPreferenceDestroy = nullptr;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) cublasLtMatmulPreferenceSetAttribute = nullptr;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) cublasLtMatmulAlgoGetHeuristic = nullptr;
  decltype(&::cublasLtMatmul) cublasLtMatmul = nullptr;
  decltype(&::cublasLtGetVersion) cublasLtGetVersion = nullptr;
  decltype(&::cublasLtGetStatusString) cublasLtGetStatusString = nullptr;
};

struct Library {
  Functions functions;
  std::string problem;  // why it cannot be used; empty when it can
};

Library load() {
  Library loaded;
  const std::string file = fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR);
  const Result<SharedLibrary> library = SharedLibrary::open_of_system(file);
  if (!library.ok()) {
    loaded.problem = fmt::format("{}. Install cuBLAS {} or add its folder to LD_LIBRARY_PATH",
                                 library.status().message(), CUBLAS_VER_MAJOR);
    return loaded;
  }
  const auto find = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(library->symbol(name));
    if (function == nullptr && loaded.problem.empty()) {
      loaded.problem = fmt::format("{} has no {}", file, name);
    }
  };
  Functions& f = loaded.functions;
  find("cublasLtCreate", f.cublasLtCreate);
  find("cublasLtDestroy", f.cublasLtDestroy);
  find("cublasLtMatmulDescCreate", f.cublasLtMatmulDescCreate);
  find("cublasLtMatmulDescDestroy", f.cublasLtMatmulDescDestroy);
  find("cublasLtMatmulDescSetAttribute", f.cublasLtMatmulDescSetAttribute);
  find("cublasLtMatrixLayoutCreate", f.cublasLtMatrixLayoutCreate);
  find("cublasLtMatrixLayoutDestroy", f.cublasLtMatrixLayoutDestroy);
  find("cublasLtMatmulPreferenceCreate", f.cublasLtMatmulPreferenceCreate);
  find("cublasLtMatmulPreferenceDestroy", f.cublasLtMatmulPreferenceDestroy);
  find("cublasLtMatmulPreferenceSetAttribute", f.cublasLtMatmulPreferenceSetAttribute);
  find("cublasLtMatmulAlgoGetHeuristic", f.cublasLtMatmulAlgoGetHeuristic);
  find("cublasLtMatmul", f.cublasLtMatmul);
  find("cublasLtGetVersion", f.cublasLtGetVersion);
  find("cublasLtGetStatusString", f.cublasLtGetStatusString);
  return loaded;
}

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

const Functions& functions() {
  CHECK(library().problem.empty(), library().problem);
  return library().functions;
}

}  // namespace

Status load_cublas_lt() {
  return library().problem.empty() ? ok_status() : bad_config(library().problem);
}

}  // namespace cairn

// Declared by the library's header.
// NOLINTBEGIN(readability-function-size): the library's own parameters
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  return cairn::functions().cublasLtCreate(handle);
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return cairn::functions().cublasLtDestroy(handle);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  return cairn::functions().cublasLtMatmulDescCreate(made, compute, scale);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  return cairn::functions().cublasLtMatmulDescDestroy(description);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              size_t bytes) {
  return cairn::functions().cublasLtMatmulDescSetAttribute(description, attribute, value, bytes);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType_t type, uint64_t rows,
                                          uint64_t columns, int64_t stride) {
  return cairn::functions().cublasLtMatrixLayoutCreate(made, type, rows, columns, stride);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return cairn::functions().cublasLtMatrixLayoutDestroy(layout);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  return cairn::functions().cublasLtMatmulPreferenceCreate(made);
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return cairn::functions().cublasLtMatmulPreferenceDestroy(preference);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  return cairn::functions().cublasLtMatmulPreferenceSetAttribute(preference, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t* results, int* count) {
  return cairn::functions().cublasLtMatmulAlgoGetHeuristic(handle, description, a, b, c, d, preference, most,
                                                           results, count);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace, size_t workspace_bytes,
                              cudaStream_t stream) {
  return cairn::functions().cublasLtMatmul(handle, description, alpha, a, a_layout, b, b_layout, beta, c,
                                           c_layout, d, d_layout, algorithm, workspace, workspace_bytes,
                                           stream);
}

size_t cublasLtGetVersion() {
  return cairn::functions().cublasLtGetVersion();
}

const char* cublasLtGetStatusString(cublasStatus_t status) {
  return cairn::functions().cublasLtGetStatusString(status);
}
// NOLINTEND(readability-function-size)
