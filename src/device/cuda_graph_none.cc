// The answers of a program built without CUDA.
#include "device/cuda_graph.h"

namespace cairn {

Result<std::unique_ptr<CudaGraph>> CudaGraph::record(CudaDevice& /*device*/,
                                                     const std::function<void()>& /*work*/) {
  return bad_config("built without CUDA");
}
CudaGraph::~CudaGraph() = default;
void CudaGraph::launch(CudaDevice& /*device*/) const {}

}  // namespace cairn
