// A cache line written past the caches, for what is written once and read much later: the memory does not read the line first,
// and nothing that will be used sooner has to go. An ordinary copy where the instruction set has no such store.
#pragma once

#include <cstddef>
#include <cstring>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace cairn {

inline constexpr std::size_t kLineBytes = 64;

// Both at multiples of 64 bytes. Other threads see the line after stream_fence() and a hand-over.
inline void stream_line(void* target, const void* line) {
#if defined(__AVX__)
  const auto* from = static_cast<const __m256i*>(line);
  auto* to = static_cast<__m256i*>(target);
  _mm256_stream_si256(to, _mm256_load_si256(from));
  _mm256_stream_si256(to + 1, _mm256_load_si256(from + 1));
#else
  std::memcpy(target, line, kLineBytes);
#endif
}

inline void stream_fence() {
#if defined(__AVX__)
  _mm_sfence();
#endif
}

}  // namespace cairn
