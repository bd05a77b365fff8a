// Streams beside a CudaDevice's own, for copies that overlap with its work, and the events that order them. This header
// compiles without CUDA, as cuda_device.h does; create() then answers kBadConfig.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/status.h"
#include "device/cuda_device.h"

namespace cairn {

// Work in it has no order with that of other streams but the one that events make. Errors are kept by the device.
// Move-only; the device outlives it.
class CudaStream {
 public:
  static Result<CudaStream> create(CudaDevice& device);
  CudaStream(CudaStream&& other) noexcept
      : device_(other.device_), handle_(std::exchange(other.handle_, nullptr)) {}
  CudaStream& operator=(CudaStream&&) = delete;
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  ~CudaStream();

  void* handle() const { return handle_; }  // a cudaStream_t
  // REQUIRES: the host's side is pinned, else they do not overlap.
  void copy_to_device(std::byte* to, const std::byte* from, std::int64_t num_bytes);
  void copy_to_host(std::byte* to, const std::byte* from, std::int64_t num_bytes);

 private:
  CudaStream(CudaDevice& device, void* handle) : device_(&device), handle_(handle) {}
  CudaDevice* device_;
  void* handle_;
};

// A point in a stream. Streams are given as handles: of a CudaStream or CudaDevice::stream().
class CudaEvent {
 public:
  static Result<CudaEvent> create(CudaDevice& device);
  CudaEvent(CudaEvent&& other) noexcept
      : device_(other.device_), handle_(std::exchange(other.handle_, nullptr)) {}
  CudaEvent& operator=(CudaEvent&&) = delete;
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;
  ~CudaEvent();

  // The point behind all work that is in `stream` now.
  void record(void* stream);
  // Work put into `stream` from now on begins when the recorded point is reached; at once if there is none.
  void hold(void* stream);

 private:
  CudaEvent(CudaDevice& device, void* handle) : device_(&device), handle_(handle) {}
  CudaDevice* device_;
  void* handle_;
};

}  // namespace cairn
