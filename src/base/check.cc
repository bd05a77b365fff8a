#include "base/check.h"

#include <cstdio>
#include <cstdlib>

#include <unistd.h>

namespace cairn {
namespace {

constexpr int kExitBug = 70;  // EX_SOFTWARE, as StatusCode::kBug

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAIRN_CLANG_SANITIZER
#endif
#endif

// Debug builds leave a core file; sanitizers and fuzzers recognise a finding by the signal.
#if !defined(NDEBUG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    defined(CAIRN_CLANG_SANITIZER)
constexpr bool kAborts = true;
#else
constexpr bool kAborts = false;
#endif

}  // namespace

void check_failed(const char* file, int line, const char* condition, const char* message) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s: %s\n", file, line, condition, message);
  std::fflush(stderr);
  if constexpr (kAborts) {
    std::abort();
  }
  // No destructors and no exit handlers: after a broken invariant nothing more may be written.
  ::_exit(kExitBug);
}

}  // namespace cairn
