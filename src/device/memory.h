// The memory of a sealed Plan: one allocation per lifetime, made once, freed once, never in between.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/status.h"
#include "tensor/plan.h"
#include "tensor/tensor_view.h"

namespace cairn {

// One zero-filled allocation, aligned to kTensorAlignment. Move-only.
class Arena {
 public:
  Arena() = default;
  static Result<Arena> create(std::int64_t num_bytes);
  Arena(Arena&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), num_bytes_(std::exchange(other.num_bytes_, 0)) {}
  Arena& operator=(Arena&& other) noexcept;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  std::byte* data() const { return data_; }
  std::int64_t num_bytes() const { return num_bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::int64_t num_bytes_ = 0;
};

class Memory {
 public:
  // REQUIRES: plan is sealed and outlives this. Fails when the host refuses the bytes.
  // Arenas are touched here, so that the resident size of the process is known from the start.
  static Result<Memory> create(const Plan& plan);

  TensorView view(TensorId id, int slot = 0) const;
  // The whole region, as bytes (zeroing gradients, hashing, snapshots).
  TensorView region(Lifetime lifetime) const;
  const Plan& plan() const { return *plan_; }

 private:
  explicit Memory(const Plan& plan) : plan_(&plan) {}
  const Plan* plan_;
  std::array<Arena, kNumLifetimes> arenas_;
};

}  // namespace cairn
