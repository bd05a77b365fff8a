// What every op gets besides its tensors: where to run and a planned workspace. Passed by reference,
// never stored. On a CPU an op is done when it returns; on a GPU it is in the device's stream.
#pragma once

#include "device/cuda_device.h"
#include "device/thread_pool.h"
#include "tensor/tensor_view.h"

namespace cairn::ops {

struct OpContext {
  ThreadPool& pool;
  TensorView workspace;          // uint8, planned scratch of at least workspace_bytes(pool.num_threads())
  CudaDevice* device = nullptr;  // the GPU whose memory the tensors lie in; null on the CPU
  // Two runs have the same bits. On a GPU kernels that add in varying order are faster.
  bool deterministic = true;
};

// Bytes that the ops of this folder may use at once: packing buffers of the GEMM, per-thread rows of
// attention. Depends on nothing but the number of threads, so that a plan can be made without a run.
std::int64_t workspace_bytes(int num_threads);

// The same for ops on a GPU: cuBLASLt's workspace, partial sums, sorted rows of embeddings.
inline constexpr std::int64_t kCudaWorkspaceBytes = std::int64_t{64} << 20;

// Whether an output replaces what its tensor held or adds to it. Activations are written (kOverwrite)
// unless stated; parameter gradients always add.
enum class WriteMode : unsigned char { kOverwrite, kAdd };

// What an output is added to: itself, or nothing.
inline ConstTensorView base_of(const TensorView& y, WriteMode mode) {
  return mode == WriteMode::kAdd ? ConstTensorView(y) : ConstTensorView();
}

}  // namespace cairn::ops
