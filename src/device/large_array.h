// Memory for large arrays: not cleared, so that whoever fills it is the first to touch it, and in huge pages where the
// system gives them, because random accesses to small ones miss the address translation too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace cairn {

// At a multiple of 64 bytes; null for no bytes.
std::byte* allocate_large(std::size_t num_bytes);
void free_large(std::byte* data, std::size_t num_bytes);

class LargeMemory {
 public:
  explicit LargeMemory(std::size_t num_bytes) : data_(allocate_large(num_bytes)), num_bytes_(num_bytes) {}
  ~LargeMemory() { free_large(data_, num_bytes_); }
  LargeMemory(const LargeMemory&) = delete;
  LargeMemory& operator=(const LargeMemory&) = delete;

  std::byte* data() const { return data_; }

 private:
  std::byte* data_;
  std::size_t num_bytes_;
};

// `size` elements with whatever the memory holds.
template <class T>
class LargeArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit LargeArray(std::int64_t size)
      : memory_(static_cast<std::size_t>(size) * sizeof(T)), size_(static_cast<std::size_t>(size)) {}

  std::span<T> span() const { return {reinterpret_cast<T*>(memory_.data()), size_}; }

 private:
  LargeMemory memory_;
  std::size_t size_;
};

// Of vectors in such memory, whose elements are made as in any other.
template <class T>
struct LargeAllocator {
  static_assert(alignof(T) <= 64);
  using value_type = T;
  LargeAllocator() = default;
  template <class U>
  LargeAllocator(const LargeAllocator<U>&) {}  // NOLINT(google-explicit-constructor): allocators convert
  T* allocate(std::size_t count) { return reinterpret_cast<T*>(allocate_large(count * sizeof(T))); }
  void deallocate(T* data, std::size_t count) {
    free_large(reinterpret_cast<std::byte*>(data), count * sizeof(T));
  }
  bool operator==(const LargeAllocator&) const = default;
};
template <class T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

}  // namespace cairn
