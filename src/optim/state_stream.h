// Moments that stay in pinned host memory while a GPU updates the weights: they pass through its memory in chunks, in by
// one stream and out by another, while other chunks are updated. An update is element by element, so that its bits do
// not depend on the chunks.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "device/cuda_stream.h"
#include "optim/optimizer.h"

namespace cairn::optim {

class StateStream {
 public:
  static constexpr int kSlots = 3;                                  // chunks under way at once
  static constexpr std::int64_t kChunkMax = std::int64_t{4} << 20;  // elements of one moment

  // Elements of a chunk for parameters of at most so many.
  static std::int64_t chunk_elements(std::int64_t largest_parameter);

  //   staging  float32 in the GPU's memory, kSlots * num_moments * chunk elements
  static Result<std::unique_ptr<StateStream>> create(CudaDevice& device, const TensorView& staging,
                                                     int num_moments);

  // Calls update() for parts of `elements`, whose moments lie on the host, with moments on the GPU. update() puts a kernel
  // into the device's stream.
  void update(const OptimElements& elements, const std::function<void(const OptimElements&)>& update);
  // Work in the device's stream from now on begins when all moments are back on the host.
  void finish();

 private:
  StateStream(CudaDevice& device, const TensorView& staging, int num_moments);
  Status open();
  float* staged(int slot, int moment) const;

  CudaDevice& device_;
  float* staging_;
  int num_moments_;
  std::int64_t chunk_;
  std::vector<CudaStream> streams_;                      // in, out
  std::vector<CudaEvent> arrived_, updated_, returned_;  // per slot
  std::int64_t num_chunks_ = 0;                          // since the beginning: the next one's slot
};

}  // namespace cairn::optim
