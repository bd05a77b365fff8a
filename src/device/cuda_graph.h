// Work of a GPU's stream that is recorded once and launched as a whole: the host then neither prepares nor allocates anything
// per kernel. Compiles without CUDA, like cuda_device.h.
#pragma once

#include <functional>
#include <memory>

#include "base/status.h"
#include "device/cuda_device.h"

namespace cairn {

class CudaGraph {
 public:
  // Records what `work` puts into the device's stream; nothing of it runs. `work` may not wait for the device. kBadConfig with the
  // driver's reason when it cannot be recorded.
  static Result<std::unique_ptr<CudaGraph>> record(CudaDevice& device, const std::function<void()>& work);
  ~CudaGraph();
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  // Into the stream, behind all work before. The memory that was recorded is read and written again.
  void launch(CudaDevice& device) const;

 private:
  CudaGraph() = default;
  [[maybe_unused]] void* executable_ = nullptr;  // a cudaGraphExec_t; without CUDA nobody looks at it
};

}  // namespace cairn
