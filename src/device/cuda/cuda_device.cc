#include "device/cuda_device.h"

#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "base/check.h"
#include "device/cuda/cublas_lt.h"

namespace cairn {

struct CudaDevice::Impl {
  int ordinal = 0;
  std::string name;
  std::int64_t memory_bytes = 0;
  int num_multiprocessors = 0;
  cudaStream_t stream = nullptr;
  cublasLtHandle_t blas = nullptr;
  std::string first_error;
  int layer = kNoLayer;
  std::mutex op_states_mutex;
  std::map<std::type_index, std::shared_ptr<void>> op_states;
  std::vector<std::jthread> threads;

  void keep(std::string_view op, cudaError_t error) {
    if (error != cudaSuccess) {
      cudaGetLastError();  // CUDA would tell it again at the next launch
    }
    if (error != cudaSuccess && first_error.empty()) {
      const std::string place = layer == kNoLayer ? "" : fmt::format("layer {}, ", layer);
      first_error =
          fmt::format("{}{}: {} ({})", place, op, cudaGetErrorString(error), cudaGetErrorName(error));
    }
  }
};

CudaDevice::CudaDevice(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

CudaDevice::~CudaDevice() {
  // Errors at the end have nobody left to tell.
  impl_->threads.clear();
  impl_->op_states.clear();
  if (impl_->blas != nullptr) {
    cublasLtDestroy(impl_->blas);
  }
  if (impl_->stream != nullptr) {
    cudaStreamDestroy(impl_->stream);
  }
}

bool CudaDevice::is_built() {
  return true;
}

int CudaDevice::count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(int ordinal) {
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    return bad_config(fmt::format("no CUDA device: {}", cudaGetErrorString(error)));
  }
  if (ordinal < 0 || ordinal >= count) {
    return bad_config(fmt::format("CUDA device {} does not exist; this machine has {}", ordinal, count));
  }
  // Beside CUDA's own start, once its driver is there: the loader takes one library at a time.
  std::future<Status> blas_loaded = std::async(std::launch::async, load_cublas_lt);
  cudaDeviceProp properties;
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, ordinal); error != cudaSuccess) {
    return bad_config(fmt::format("CUDA device {}: {}", ordinal, cudaGetErrorString(error)));
  }
  if (properties.major != 9 || properties.minor != 0) {
    return bad_config(fmt::format("{} has compute capability {}.{}; this program is built for 9.0 (Hopper)",
                                  properties.name, properties.major, properties.minor));
  }
  auto impl = std::make_unique<Impl>();
  impl->ordinal = ordinal;
  impl->name = properties.name;
  impl->memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
  impl->num_multiprocessors = properties.multiProcessorCount;
  std::unique_ptr<CudaDevice> device(new CudaDevice(std::move(impl)));
  Impl& opened = *device->impl_;
  cudaError_t error = cudaSetDevice(ordinal);
  if (error == cudaSuccess) {
    error = cudaStreamCreateWithFlags(&opened.stream, cudaStreamNonBlocking);
  }
  if (error != cudaSuccess) {
    return bad_config(fmt::format("{}: {}", opened.name, cudaGetErrorString(error)));
  }
  TRY(blas_loaded.get());
  if (const cublasStatus_t status = cublasLtCreate(&opened.blas); status != CUBLAS_STATUS_SUCCESS) {
    return bad_config(fmt::format("{}: cublasLt: {}", opened.name, cublasLtGetStatusString(status)));
  }
  return device;
}

const std::string& CudaDevice::name() const {
  return impl_->name;
}

std::int64_t CudaDevice::memory_bytes() const {
  return impl_->memory_bytes;
}

std::int64_t CudaDevice::free_bytes() const {
  std::size_t free = 0;
  std::size_t total = 0;
  return cudaMemGetInfo(&free, &total) == cudaSuccess ? static_cast<std::int64_t>(free) : 0;
}

int CudaDevice::num_multiprocessors() const {
  return impl_->num_multiprocessors;
}

Result<std::byte*> CudaDevice::allocate(std::int64_t num_bytes) {
  void* data = nullptr;
  cudaError_t error = cudaMalloc(&data, static_cast<std::size_t>(num_bytes));
  if (error == cudaSuccess) {
    error = cudaMemsetAsync(data, 0, static_cast<std::size_t>(num_bytes), impl_->stream);
  }
  if (error != cudaSuccess) {
    cudaFree(data);
    cudaGetLastError();  // told here; later launches start clean
    return bad_config(fmt::format("{} refused {} bytes of memory ({}); `cairn plan` shows what the run needs",
                                  impl_->name, num_bytes, cudaGetErrorString(error)));
  }
  return static_cast<std::byte*>(data);
}

void CudaDevice::release(std::byte* data) {
  impl_->keep("release", cudaFree(data));
}

Result<std::byte*> CudaDevice::allocate_pinned(std::int64_t num_bytes) {
  void* data = nullptr;
  const cudaError_t error =
      cudaHostAlloc(&data, static_cast<std::size_t>(num_bytes), cudaHostAllocPortable | cudaHostAllocMapped);
  if (error != cudaSuccess) {
    cudaGetLastError();
    return bad_config(
        fmt::format("the host refused {} bytes of pinned memory ({})", num_bytes, cudaGetErrorString(error)));
  }
  return static_cast<std::byte*>(data);
}

void CudaDevice::release_pinned(std::byte* data) {
  impl_->keep("release", cudaFreeHost(data));
}

void CudaDevice::copy_to_device(std::byte* to, const std::byte* from, std::int64_t num_bytes) {
  impl_->keep("copy to the GPU", cudaMemcpyAsync(to, from, static_cast<std::size_t>(num_bytes),
                                                 cudaMemcpyHostToDevice, impl_->stream));
}

void CudaDevice::copy_to_host(std::byte* to, const std::byte* from, std::int64_t num_bytes) {
  impl_->keep("copy to the host", cudaMemcpyAsync(to, from, static_cast<std::size_t>(num_bytes),
                                                  cudaMemcpyDeviceToHost, impl_->stream));
}

void CudaDevice::check_launch(std::string_view op) {
  impl_->keep(op, cudaGetLastError());
}

void CudaDevice::set_layer(int layer) {
  impl_->layer = layer;
}

Status CudaDevice::synchronize() {
  impl_->keep("work on the GPU", cudaStreamSynchronize(impl_->stream));
  if (impl_->first_error.empty()) {
    return ok_status();
  }
  return {StatusCode::kNodeSuspect, impl_->name + ": " + std::exchange(impl_->first_error, {})};
}

void CudaDevice::make_current() const {
  cudaSetDevice(impl_->ordinal);  // it was chosen before, in open()
}

void CudaDevice::start_thread(std::function<void(std::stop_token)> work) {
  impl_->threads.emplace_back([this, work = std::move(work)](const std::stop_token& stop) {
    make_current();
    work(stop);
  });
}

void* CudaDevice::stream() const {
  return impl_->stream;
}

void* CudaDevice::blas() const {
  return impl_->blas;
}

void* CudaDevice::held_state(std::type_index type, std::shared_ptr<void> (*make)()) {
  const std::lock_guard lock(impl_->op_states_mutex);
  std::shared_ptr<void>& held = impl_->op_states[type];
  if (held == nullptr) {
    held = make();
  }
  return held.get();
}

}  // namespace cairn
