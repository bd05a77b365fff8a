// The global L2 norm of all gradients and the factor that clips it. The value depends on the gradients and the
// parameters' names alone: each parameter is summed in fixed chunks, parameters are added in order of name, so
// threads, layout and order of declaration do not change a bit of it.
#pragma once

#include <span>
#include <vector>

#include "optim/optimizer.h"

namespace cairn::optim {

struct ClipResult {
  double norm = 0.0;        // before clipping
  double clip_scale = 1.0;  // min(1, max_norm / (norm + 1e-6)); 1 when clipping is off
  bool is_finite = true;    // false: some gradient is not finite; the caller refuses the step
};

class GradientClip {
 public:
  // max_norm > 0, or 0 for no clipping (the norm is measured all the same). Declares scratch for partial sums.
  // `device` is where the gradients will lie.
  GradientClip(double max_norm, std::span<const OptimParameter> parameters, Plan& plan,
               DeviceKind device = DeviceKind::kCpu);

  // REQUIRES: `memory` comes from that plan and outlives this, as does `pool`.
  void bind(const Memory& memory, ThreadPool& pool);

  // Reads every gradient once. Squares and sums in float64. Uses planned scratch: nothing else that does may
  // be in progress. Waits for the GPU. REQUIRES: bound.
  ClipResult measure();

  // The squared norm of each parameter's gradient as of the last measure(), in order of name.
  struct ParameterNorm {
    std::string name;
    double squared_norm = 0.0;
  };
  std::span<const ParameterNorm> parameter_norms() const { return norms_; }

 private:
  void sum_chunks_on_host();
  void sum_chunks_on_device();
  struct Entry {
    TensorId gradient;
    std::int64_t num_elements;
    std::int64_t first_chunk;
  };
  double max_norm_;
  std::int64_t num_chunks_ = 0;
  std::vector<Entry> entries_;        // in order of name
  std::vector<ParameterNorm> norms_;  // parallel to entries_
  std::vector<const float*> gradients_;
  TensorId partial_sums_;
  double* partials_ = nullptr;
  ThreadPool* pool_ = nullptr;
  CudaDevice* device_ = nullptr;
};

}  // namespace cairn::optim
