// What a GPU did and when: kernels, copies and fills of this process with their begin and end, as the driver's tracing
// library (CUPTI) tells them. For benchmarks; the library is loaded when a trace starts and no part of a training run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace cairn {

struct DeviceInterval {
  std::string name;  // of the kernel, demangled; "copy" or "fill"
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;  // of the device's clock
};

class KernelTrace {
 public:
  // kNoInput: no CUPTI of this CUDA version on this machine. kBadConfig: built without CUDA, or it refuses.
  static Result<std::unique_ptr<KernelTrace>> start();
  KernelTrace(const KernelTrace&) = delete;
  KernelTrace& operator=(const KernelTrace&) = delete;
  ~KernelTrace();

  // Everything since the start, in order of begin. REQUIRES: the device has been synchronized; called once.
  std::vector<DeviceInterval> stop();

 private:
  struct Impl;
  explicit KernelTrace(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn
