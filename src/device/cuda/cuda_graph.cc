#include "device/cuda_graph.h"

#include <string>

#include <cuda_runtime_api.h>

namespace cairn {

Result<std::unique_ptr<CudaGraph>> CudaGraph::record(CudaDevice& device, const std::function<void()>& work) {
  const auto stream = static_cast<cudaStream_t>(device.stream());
  std::unique_ptr<CudaGraph> made(new CudaGraph());
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaError_t error = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  if (error == cudaSuccess) {
    work();
    error = cudaStreamEndCapture(stream, &graph);
  }
  if (error == cudaSuccess) {
    error = cudaGraphInstantiate(&executable, graph, 0);
  }
  if (graph != nullptr) {
    cudaGraphDestroy(graph);
  }
  made->executable_ = executable;
  if (error != cudaSuccess) {
    cudaGetLastError();  // told here; later launches start clean
    return bad_config(std::string("work cannot be recorded as a graph: ") + cudaGetErrorString(error));
  }
  return made;
}

CudaGraph::~CudaGraph() {
  if (executable_ != nullptr) {
    cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(executable_));
  }
}

void CudaGraph::launch(CudaDevice& device) const {
  cudaGraphLaunch(static_cast<cudaGraphExec_t>(executable_), static_cast<cudaStream_t>(device.stream()));
  device.check_launch("launch of a graph");
}

}  // namespace cairn
