#include "device/memory.h"

#include <cstring>
#include <new>
#include <string>

namespace cairn {

Result<Arena> Arena::create(std::int64_t num_bytes) {
  Arena arena;
  if (num_bytes == 0) {
    return arena;
  }
  const auto size = static_cast<std::size_t>(num_bytes);
  void* data = ::operator new (size, std::align_val_t{kTensorAlignment}, std::nothrow);
  if (data == nullptr) {
    return Status(StatusCode::kBadConfig, "this machine refused " + std::to_string(num_bytes) +
                                              " bytes of memory; `cairn plan` shows what the run needs");
  }
  std::memset(data, 0, size);  // touches every page
  arena.data_ = static_cast<std::byte*>(data);
  arena.num_bytes_ = num_bytes;
  return arena;
}

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(num_bytes_, other.num_bytes_);
  return *this;
}

Arena::~Arena() {
  if (data_ != nullptr) {
    ::operator delete (data_, std::align_val_t{kTensorAlignment});
  }
}

Result<Memory> Memory::create(const Plan& plan) {
  CHECK(plan.is_sealed(), "memory is made from a sealed plan");
  Memory memory(plan);
  for (int i = 0; i < kNumLifetimes; ++i) {
    const auto lifetime = static_cast<Lifetime>(i);
    TRY_ASSIGN(memory.arenas_[static_cast<std::size_t>(i)], Arena::create(plan.region_bytes(lifetime)));
  }
  return memory;
}

TensorView Memory::view(TensorId id, int slot) const {
  const TensorSpec& spec = plan_->spec(id);
  const Arena& arena = arenas_[static_cast<std::size_t>(spec.lifetime)];
  return {arena.data() + plan_->offset(id, slot), spec.shape, spec.dtype};
}

TensorView Memory::region(Lifetime lifetime) const {
  const Arena& arena = arenas_[static_cast<std::size_t>(lifetime)];
  return {arena.data(), Shape{arena.num_bytes()}, DType::kUint8};
}

}  // namespace cairn
