#include "device/large_array.h"

#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace cairn {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr std::size_t kSmallAlignment = 64;

// Below two pages their ends would be most of the memory.
bool takes_huge_pages(std::size_t num_bytes) {
  return num_bytes >= 2 * kHugePageBytes;
}

}  // namespace

std::byte* allocate_large(std::size_t num_bytes) {
  if (num_bytes == 0) {
    return nullptr;
  }
  if (!takes_huge_pages(num_bytes)) {
    return static_cast<std::byte*>(::operator new (num_bytes, std::align_val_t{kSmallAlignment}));
  }
  const std::size_t whole_pages = (num_bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  auto* const data = static_cast<std::byte*>(::operator new (whole_pages, std::align_val_t{kHugePageBytes}));
#if defined(MADV_HUGEPAGE)
  // A wish: where it is refused, the pages are small.
  static_cast<void>(::madvise(data, whole_pages, MADV_HUGEPAGE));
#endif
  return data;
}

void free_large(std::byte* data, std::size_t num_bytes) {
  ::operator delete (data, std::align_val_t{takes_huge_pages(num_bytes) ? kHugePageBytes : kSmallAlignment});
}

}  // namespace cairn
