// The answers of a program built without CUDA.
#include "base/check.h"
#include "device/cuda_device.h"

namespace cairn {

struct CudaDevice::Impl {
  std::string name;
};

CudaDevice::CudaDevice(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CudaDevice::~CudaDevice() = default;

bool CudaDevice::is_built() {
  return false;
}

int CudaDevice::count() {
  return 0;
}

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(int /*ordinal*/) {
  return bad_config("this program was built without CUDA; build it where nvcc is (CMake option CAIRN_CUDA)");
}

// No object exists to call these on.
const std::string& CudaDevice::name() const {
  return impl_->name;
}
std::int64_t CudaDevice::memory_bytes() const {
  return 0;
}
std::int64_t CudaDevice::free_bytes() const {
  return 0;
}
int CudaDevice::num_multiprocessors() const {
  return 0;
}
Result<std::byte*> CudaDevice::allocate(std::int64_t /*num_bytes*/) {
  return bad_config("built without CUDA");
}
void CudaDevice::release(std::byte* /*data*/) {}
Result<std::byte*> CudaDevice::allocate_pinned(std::int64_t /*num_bytes*/) {
  return bad_config("built without CUDA");
}
void CudaDevice::release_pinned(std::byte* /*data*/) {}
void CudaDevice::copy_to_device(std::byte* /*to*/, const std::byte* /*from*/, std::int64_t /*num_bytes*/) {}
void CudaDevice::copy_to_host(std::byte* /*to*/, const std::byte* /*from*/, std::int64_t /*num_bytes*/) {}
void CudaDevice::check_launch(std::string_view /*op*/) {}
void CudaDevice::set_layer(int /*layer*/) {}
Status CudaDevice::synchronize() {
  return bad_config("built without CUDA");
}
void CudaDevice::make_current() const {}
void CudaDevice::start_thread(std::function<void(std::stop_token)> /*work*/) {}
void* CudaDevice::stream() const {
  return nullptr;
}
void* CudaDevice::blas() const {
  return nullptr;
}
void* CudaDevice::held_state(std::type_index /*type*/, std::shared_ptr<void> (* /*make*/)()) {
  return nullptr;
}

}  // namespace cairn
