#include "device/memory.h"

#include <cstring>
#include <new>
#include <string>

#include <sys/mman.h>

namespace cairn {
namespace {

Status refused(std::int64_t num_bytes) {
  return bad_config("this machine refused " + std::to_string(num_bytes) +
                    " bytes of memory; `cairn plan` shows what the run needs");
}

}  // namespace

Result<Arena> Arena::create(std::int64_t num_bytes) {
  Arena arena;
  if (num_bytes == 0) {
    return arena;
  }
  const auto size = static_cast<std::size_t>(num_bytes);
  void* data = ::operator new (size, std::align_val_t{kTensorAlignment}, std::nothrow);
  if (data == nullptr) {
    return refused(num_bytes);
  }
  std::memset(data, 0, size);  // touches every page
  arena.data_ = static_cast<std::byte*>(data);
  arena.num_bytes_ = num_bytes;
  return arena;
}

Result<Arena> Arena::create_untouched(std::int64_t num_bytes) {
  Arena arena;
  if (num_bytes == 0) {
    return arena;
  }
  const auto size = static_cast<std::size_t>(num_bytes);
  void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    return refused(num_bytes);
  }
#if defined(MADV_HUGEPAGE)
  // A wish: where it is refused, the pages are small.
  static_cast<void>(::madvise(data, size, MADV_HUGEPAGE));
#endif
  arena.data_ = static_cast<std::byte*>(data);
  arena.num_bytes_ = num_bytes;
  arena.is_mapped_ = true;
  return arena;
}

Result<Arena> Arena::create_on(CudaDevice& device, std::int64_t num_bytes, DeviceKind kind) {
  Arena arena;
  arena.device_ = &device;
  arena.kind_ = kind;
  if (num_bytes == 0) {
    return arena;
  }
  if (kind == DeviceKind::kCuda) {
    TRY_ASSIGN(arena.data_, device.allocate(num_bytes));
  } else {
    TRY_ASSIGN(arena.data_, device.allocate_pinned(num_bytes));
    std::memset(arena.data_, 0, static_cast<std::size_t>(num_bytes));
  }
  arena.num_bytes_ = num_bytes;
  return arena;
}

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(kind_, other.kind_);
  std::swap(is_mapped_, other.is_mapped_);
  std::swap(data_, other.data_);
  std::swap(num_bytes_, other.num_bytes_);
  return *this;
}

Arena::~Arena() {
  if (data_ == nullptr) {
    return;
  }
  if (kind_ == DeviceKind::kCuda) {
    device_->release(data_);
  } else if (device_ != nullptr) {
    device_->release_pinned(data_);
  } else if (is_mapped_) {
    ::munmap(data_, static_cast<std::size_t>(num_bytes_));
  } else {
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

Result<Memory> Memory::create_on(CudaDevice& device, const Plan& plan) {
  CHECK(plan.is_sealed(), "memory is made from a sealed plan");
  Memory memory(plan);
  memory.device_ = &device;
  for (int i = 0; i < kNumLifetimes; ++i) {
    const auto lifetime = static_cast<Lifetime>(i);
    const DeviceKind kind = plan.is_on_host(lifetime) ? DeviceKind::kCpu : DeviceKind::kCuda;
    TRY_ASSIGN(memory.arenas_[static_cast<std::size_t>(i)],
               Arena::create_on(device, plan.region_bytes(lifetime), kind));
  }
  TRY(device.synchronize());
  return memory;
}

Result<Memory> Memory::create_mirror(const Plan& plan, std::initializer_list<Lifetime> lifetimes) {
  CHECK(plan.is_sealed(), "memory is made from a sealed plan");
  Memory memory(plan);
  for (const Lifetime lifetime : lifetimes) {
    TRY_ASSIGN(memory.arenas_[static_cast<std::size_t>(lifetime)],
               Arena::create_untouched(plan.region_bytes(lifetime)));
  }
  return memory;
}

Status Memory::download(Lifetime lifetime, const Memory& mirror) const {
  const TensorView from = region(lifetime);
  const TensorView to = mirror.region(lifetime);
  CHECK(device_ != nullptr && to.num_bytes() == from.num_bytes(), "a mirror of another plan or lifetime");
  device_->copy_to_host(to.bytes(), from.bytes(), from.num_bytes());
  return device_->synchronize();
}

Status Memory::upload(Lifetime lifetime, const Memory& mirror) const {
  const TensorView from = mirror.region(lifetime);
  const TensorView to = region(lifetime);
  CHECK(device_ != nullptr && to.num_bytes() == from.num_bytes(), "a mirror of another plan or lifetime");
  device_->copy_to_device(to.bytes(), from.bytes(), from.num_bytes());
  return device_->synchronize();
}

TensorView Memory::view(TensorId id, int slot) const {
  const TensorSpec& spec = plan_->spec(id);
  const Arena& arena = arenas_[static_cast<std::size_t>(spec.lifetime)];
  if (arena.data() == nullptr) {
    return {nullptr, spec.shape, spec.dtype};
  }
  return {arena.data() + plan_->offset(id, slot), spec.shape, spec.dtype, arena.kind()};
}

TensorView Memory::region(Lifetime lifetime) const {
  const Arena& arena = arenas_[static_cast<std::size_t>(lifetime)];
  return {arena.data(), Shape{arena.num_bytes()}, DType::kUint8, arena.kind()};
}

}  // namespace cairn
