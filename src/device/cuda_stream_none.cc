// The answers of a program built without CUDA: no stream or event exists to call the rest on.
#include "device/cuda_stream.h"

namespace cairn {

Result<CudaStream> CudaStream::create(CudaDevice& /*device*/) {
  return bad_config("built without CUDA");
}
CudaStream::~CudaStream() = default;
void CudaStream::copy_to_device(std::byte* /*to*/, const std::byte* /*from*/, std::int64_t /*num_bytes*/) {}
void CudaStream::copy_to_host(std::byte* /*to*/, const std::byte* /*from*/, std::int64_t /*num_bytes*/) {}
Result<CudaEvent> CudaEvent::create(CudaDevice& /*device*/) {
  return bad_config("built without CUDA");
}
CudaEvent::~CudaEvent() = default;
void CudaEvent::record(void* /*stream*/) {}
void CudaEvent::hold(void* /*stream*/) {}

}  // namespace cairn
