#include "device/cuda_stream.h"

#include <fmt/format.h>

#include <cuda_runtime_api.h>

namespace cairn {
namespace {

cudaStream_t stream_of(void* handle) {
  return static_cast<cudaStream_t>(handle);
}

cudaEvent_t event_of(void* handle) {
  return static_cast<cudaEvent_t>(handle);
}

}  // namespace

Result<CudaStream> CudaStream::create(CudaDevice& device) {
  cudaStream_t made = nullptr;
  if (const cudaError_t error = cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking);
      error != cudaSuccess) {
    return bad_config(fmt::format("{}: no stream: {}", device.name(), cudaGetErrorString(error)));
  }
  return CudaStream(device, made);
}

CudaStream::~CudaStream() {
  if (handle_ != nullptr) {
    cudaStreamDestroy(stream_of(handle_));
  }
}

void CudaStream::copy_to_device(std::byte* to, const std::byte* from, std::int64_t num_bytes) {
  cudaMemcpyAsync(to, from, static_cast<std::size_t>(num_bytes), cudaMemcpyHostToDevice, stream_of(handle_));
  device_->check_launch("copy to the GPU");
}

void CudaStream::copy_to_host(std::byte* to, const std::byte* from, std::int64_t num_bytes) {
  cudaMemcpyAsync(to, from, static_cast<std::size_t>(num_bytes), cudaMemcpyDeviceToHost, stream_of(handle_));
  device_->check_launch("copy to the host");
}

Result<CudaEvent> CudaEvent::create(CudaDevice& device) {
  cudaEvent_t made = nullptr;
  if (const cudaError_t error = cudaEventCreateWithFlags(&made, cudaEventDisableTiming);
      error != cudaSuccess) {
    return bad_config(fmt::format("{}: no event: {}", device.name(), cudaGetErrorString(error)));
  }
  return CudaEvent(device, made);
}

CudaEvent::~CudaEvent() {
  if (handle_ != nullptr) {
    cudaEventDestroy(event_of(handle_));
  }
}

void CudaEvent::record(void* stream) {
  cudaEventRecord(event_of(handle_), stream_of(stream));
  device_->check_launch("event");
}

void CudaEvent::hold(void* stream) {
  cudaStreamWaitEvent(stream_of(stream), event_of(handle_), 0);
  device_->check_launch("wait for an event");
}

}  // namespace cairn
