// The memory of a run, planned before any of it exists. Modules declare TensorSpecs; sealing the plan
// turns them into offsets; Memory (device/memory.h) then makes one allocation per lifetime.
// `cairn plan` prints this table on a login node: what it says for the arenas is what is allocated.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace cairn {

enum class Lifetime : std::uint8_t {
  kParameter,  // weights, float32 master or compute copy
  kGradient,   // parameter gradients and the partial sums of their reduction tree
  kOptimizer,  // moments
  kSaved,      // activations kept from forward to backward; one copy per slot (microbatch in flight)
  kScratch,    // dead when the scope that declared it ends; scopes of equal depth share bytes
  kIo,         // batches, logits handed out, key/value caches
};
inline constexpr int kNumLifetimes = 6;
std::string_view lifetime_name(Lifetime lifetime);

struct TensorSpec {
  std::string name;
  Shape shape;
  DType dtype = DType::kFloat32;
  Lifetime lifetime = Lifetime::kScratch;
};

// Names a declared tensor; an index into the plan, valid for that plan only.
struct TensorId {
  std::int32_t index = -1;
  bool is_valid() const { return index >= 0; }
};

// Every tensor starts on a multiple of this many bytes (one cache line pair; a GPU's widest load).
inline constexpr std::int64_t kTensorAlignment = 256;

class Plan {
 public:
  // REQUIRES: not sealed.
  TensorId add(TensorSpec spec);

  // Scratch declared between enter_scratch() and leave_scratch() may reuse the bytes of scratch from
  // sibling scopes, never those of an enclosing scope. Use ScratchScope instead of calling these.
  void enter_scratch();
  void leave_scratch();

  // On a GPU this lifetime lies in pinned host memory, as kIo always does. REQUIRES: not sealed.
  void keep_on_host(Lifetime lifetime);
  bool is_on_host(Lifetime lifetime) const;

  // Fixes all offsets. num_slots copies of the saved region exist. REQUIRES: all scopes left.
  void seal(int num_slots);
  bool is_sealed() const { return num_slots_ > 0; }
  int num_slots() const { return num_slots_; }

  // After sealing. Bytes of the one allocation that holds this lifetime (all slots included).
  std::int64_t region_bytes(Lifetime lifetime) const;
  std::int64_t total_bytes() const;
  // Of the lifetimes that lie in a GPU's memory when the run is on one.
  std::int64_t device_bytes() const;
  // Offset in its region of the copy that belongs to `slot` (0 unless the lifetime is kSaved).
  std::int64_t offset(TensorId id, int slot) const;
  const TensorSpec& spec(TensorId id) const;
  const std::vector<TensorSpec>& specs() const { return specs_; }

 private:
  std::vector<TensorSpec> specs_;
  std::vector<std::int64_t> offsets_;
  std::array<std::int64_t, kNumLifetimes> used_{};
  std::array<bool, kNumLifetimes> on_host_{};
  std::vector<std::int64_t> scratch_marks_;
  std::int64_t scratch_top_ = 0;
  int num_slots_ = 0;
};

class ScratchScope {
 public:
  explicit ScratchScope(Plan& plan) : plan_(plan) { plan_.enter_scratch(); }
  ~ScratchScope() { plan_.leave_scratch(); }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Plan& plan_;
};

}  // namespace cairn
