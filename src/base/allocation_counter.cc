#include "base/allocation_counter.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "base/check.h"

// Sanitizers replace the operators themselves; a second replacement would blind them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAIRN_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CAIRN_COUNTS_ALLOCATIONS 0
#else
#define CAIRN_COUNTS_ALLOCATIONS 1
#endif
#else
#define CAIRN_COUNTS_ALLOCATIONS 1
#endif

namespace cairn {
namespace {

// The one mutable state at namespace scope outside the signal door: the operators have no other place for it.
struct Counters {
  std::atomic<std::uint64_t> allocations{0};
  std::atomic<std::uint64_t> deallocations{0};
  std::atomic<std::uint64_t> bytes{0};
};
constinit Counters counters;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

}  // namespace

bool is_allocation_counter_active() {
  return CAIRN_COUNTS_ALLOCATIONS == 1;
}

AllocationCount allocation_count() {
  return {counters.allocations.load(std::memory_order_relaxed),
          counters.deallocations.load(std::memory_order_relaxed),
          counters.bytes.load(std::memory_order_relaxed)};
}

#if CAIRN_COUNTS_ALLOCATIONS
namespace {

void* counted_allocate(std::size_t size, std::size_t alignment) noexcept {
  void* memory = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    memory = std::malloc(size == 0 ? 1 : size);
  } else if (::posix_memalign(&memory, alignment, size == 0 ? 1 : size) != 0) {
    memory = nullptr;
  }
  if (memory != nullptr) {
    counters.allocations.fetch_add(1, std::memory_order_relaxed);
    counters.bytes.fetch_add(size, std::memory_order_relaxed);
  }
  return memory;
}

void* counted_allocate_or_end(std::size_t size, std::size_t alignment) noexcept {
  void* memory = counted_allocate(size, alignment);
  CHECK(memory != nullptr, "out of memory");
  return memory;
}

void counted_free(void* memory) noexcept {
  if (memory != nullptr) {
    counters.deallocations.fetch_add(1, std::memory_order_relaxed);
    std::free(memory);
  }
}

constexpr std::size_t kPlain = alignof(std::max_align_t);

}  // namespace
#endif

}  // namespace cairn

#if CAIRN_COUNTS_ALLOCATIONS
void* operator new(std::size_t size) {
  return cairn::counted_allocate_or_end(size, cairn::kPlain);
}
void* operator new[](std::size_t size) {
  return cairn::counted_allocate_or_end(size, cairn::kPlain);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return cairn::counted_allocate_or_end(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return cairn::counted_allocate_or_end(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return cairn::counted_allocate(size, cairn::kPlain);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return cairn::counted_allocate(size, cairn::kPlain);
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return cairn::counted_allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return cairn::counted_allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  cairn::counted_free(memory);
}
void operator delete[](void* memory) noexcept {
  cairn::counted_free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  cairn::counted_free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  cairn::counted_free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  cairn::counted_free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  cairn::counted_free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  cairn::counted_free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  cairn::counted_free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  cairn::counted_free(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  cairn::counted_free(memory);
}
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  cairn::counted_free(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  cairn::counted_free(memory);
}
#endif
