// The answers of a program built without CUDA.
#include "device/kernel_trace.h"

namespace cairn {

struct KernelTrace::Impl {};

KernelTrace::KernelTrace(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KernelTrace::~KernelTrace() = default;

Result<std::unique_ptr<KernelTrace>> KernelTrace::start() {
  return bad_config("built without CUDA");
}

std::vector<DeviceInterval> KernelTrace::stop() {
  return {};
}

}  // namespace cairn
