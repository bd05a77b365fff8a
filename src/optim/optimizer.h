// The step that turns gradients into new weights. An optimizer declares its state to the Plan before any memory
// exists, binds to the Memory made from it, and then updates the weights in place, element by element: the bits
// of an update do not depend on threads, on the vector width or on how parameters are laid out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "device/memory.h"
#include "device/thread_pool.h"
#include "tensor/plan.h"

namespace cairn::optim {

// What an optimizer must know of a parameter. Both tensors are float32 of `shape`.
struct OptimParameter {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  Shape shape;
  TensorId weight;
  TensorId gradient;
  TensorId compute{};  // copy of the weight that products are taken with, bfloat16; or invalid
};

// A run of elements of one parameter: what a worker or a kernel updates at once.
inline constexpr int kMomentsMax = 3;
struct OptimElements {
  float* weight;
  const float* gradient;
  float* moments[kMomentsMax];
  std::int64_t count;
  bool is_decayed;
  std::byte* compute = nullptr;  // on a GPU: the copy of the weights to write, bfloat16; or null
};

// One moment of one parameter, float32, shaped as the parameter. Checkpoints store it in training/<moment>-* under
// the parameter's name.
struct StateTensor {
  std::string moment;     // "exp_avg"
  std::string parameter;  // the parameter's name
  TensorId tensor;
};

// Norm weights, query/key norm weights and xIELU scalars are of rank 1: only matrices and embeddings decay.
inline bool is_decayed(const Shape& shape) {
  return shape.rank() >= 2;
}

// Where moments lie when weights are on a GPU: beside them, or in pinned host memory, from which they pass through the
// GPU during the update (state_stream.h). The bits are the same.
enum class StatePlace : std::uint8_t { kDevice, kHost };

class StateStream;

class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // "adamw", "ademamix": as in the run file.
  virtual std::string_view name() const = 0;

  // Parameter after parameter in the order of declaration, for each its moments in the order of the paper.
  std::span<const StateTensor> state() const { return state_; }

  // REQUIRES: `memory` comes from the plan that the state was declared to and outlives this, as does `pool`.
  void bind(const Memory& memory, ThreadPool& pool);

  // Updates all weights and moments from the gradients, which stay as they are. On a GPU the update is in the
  // device's stream when this returns.
  //   t              number of this update: 1, 2, ...
  //   clip_scale     factor on every gradient element (clip.h), 1 for none
  // The caller refuses a step whose gradient norm is not finite. REQUIRES: bound, t >= 1, finite arguments.
  void step(std::int64_t t, double learning_rate, double clip_scale);

 protected:
  Optimizer(std::span<const OptimParameter> parameters, std::span<const std::string_view> moments, Plan& plan,
            StatePlace place);

  using Elements = OptimElements;

  // Fixes the scalars of step t; called once before update() is called on the workers.
  virtual void prepare(std::int64_t t, double learning_rate, double clip_scale) = 0;
  virtual void update(const Elements& elements) const = 0;
  // The same as a kernel in the device's stream.
  virtual void update_on(CudaDevice& device, const Elements& elements) const = 0;

 private:
  struct Slot {
    Shape shape;
    TensorId weight;
    TensorId gradient;
    TensorId compute;
    std::int64_t first_element;  // in the concatenation of all parameters
  };
  void update_range(std::int64_t begin, std::int64_t end) const;
  void update_all_on_device();

  std::size_t num_moments_;
  std::vector<Slot> slots_;
  std::vector<StateTensor> state_;  // num_moments_ per slot
  std::vector<Elements> bound_;     // whole parameters
  std::int64_t num_elements_ = 0;
  ThreadPool* pool_ = nullptr;
  CudaDevice* device_ = nullptr;
  TensorId staging_;  // moments on the host: where they pass through
  std::unique_ptr<StateStream> stream_;
};

}  // namespace cairn::optim
