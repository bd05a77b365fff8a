// The memory of a sealed Plan: one allocation per lifetime, made once, freed once, never in between. On a GPU all
// lifetimes lie in its memory but those that the plan keeps on the host (kIo always): they are pinned host memory that
// both sides read and write.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>

#include "base/status.h"
#include "device/cuda_device.h"
#include "tensor/plan.h"
#include "tensor/tensor_view.h"

namespace cairn {

// One zero-filled allocation, aligned to kTensorAlignment. Move-only.
class Arena {
 public:
  Arena() = default;
  static Result<Arena> create(std::int64_t num_bytes);
  // The same without its pages: the system finds each when it is first touched, in huge ones where it has any.
  static Result<Arena> create_untouched(std::int64_t num_bytes);
  // On the GPU, or pinned in host memory; `device` outlives this.
  static Result<Arena> create_on(CudaDevice& device, std::int64_t num_bytes, DeviceKind kind);
  Arena(Arena&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        num_bytes_(std::exchange(other.num_bytes_, 0)),
        device_(other.device_),
        kind_(other.kind_),
        is_mapped_(other.is_mapped_) {}
  Arena& operator=(Arena&& other) noexcept;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  std::byte* data() const { return data_; }
  std::int64_t num_bytes() const { return num_bytes_; }
  DeviceKind kind() const { return kind_; }

 private:
  std::byte* data_ = nullptr;
  std::int64_t num_bytes_ = 0;
  CudaDevice* device_ = nullptr;  // null: plain host memory
  DeviceKind kind_ = DeviceKind::kCpu;
  bool is_mapped_ = false;  // pages of the system, not of the heap
};

class Memory {
 public:
  // REQUIRES: plan is sealed and outlives this. Fails when the host refuses the bytes.
  // Arenas are touched here, so that the resident size of the process is known from the start.
  static Result<Memory> create(const Plan& plan);
  // The same on a GPU, which outlives this.
  static Result<Memory> create_on(CudaDevice& device, const Plan& plan);
  // Host memory for the given lifetimes of the plan only: what files are read into and written from when the
  // run's own memory lies on a GPU. Views of other lifetimes are null. Untouched: a run that reads no file starts
  // without waiting for pages that only its first checkpoint needs.
  static Result<Memory> create_mirror(const Plan& plan, std::initializer_list<Lifetime> lifetimes);

  TensorView view(TensorId id, int slot = 0) const;
  // The whole region, as bytes (zeroing gradients, hashing, snapshots).
  TensorView region(Lifetime lifetime) const;
  const Plan& plan() const { return *plan_; }
  // Null on the host.
  CudaDevice* device() const { return device_; }

  // One whole region between a GPU's memory and a mirror of the same plan; complete on return.
  Status download(Lifetime lifetime, const Memory& mirror) const;
  Status upload(Lifetime lifetime, const Memory& mirror) const;

 private:
  explicit Memory(const Plan& plan) : plan_(&plan) {}
  const Plan* plan_;
  CudaDevice* device_ = nullptr;
  std::array<Arena, kNumLifetimes> arenas_;
};

}  // namespace cairn
