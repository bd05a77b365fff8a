// The widest float vector of the instruction set the file is compiled for, and the few operations that the
// CPU kernels need. Results never depend on the width: lanes hold independent outputs.
#pragma once

#include <cstring>

#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__))
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace cairn::simd {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
#elif defined(__AVX2__) && defined(__FMA__)
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif

using Vec = float __attribute__((vector_size(kLanes * 4)));
using Vec4 = float __attribute__((vector_size(16)));

// No alignment is needed.
inline Vec load(const float* source) {
  Vec v;
  std::memcpy(&v, source, sizeof(v));
  return v;
}
inline void store(float* target, Vec v) {
  std::memcpy(target, &v, sizeof(v));
}
inline Vec4 load4(const float* source) {
  Vec4 v;
  std::memcpy(&v, source, sizeof(v));
  return v;
}

inline Vec broadcast(float x) {
#if defined(__AVX512F__)
  return Vec{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#elif defined(__AVX2__) && defined(__FMA__)
  return Vec{x, x, x, x, x, x, x, x};
#else
  return Vec{x, x, x, x};
#endif
}

// a b + c, rounded once.
inline Vec fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f32(c, a, b);
#else
  for (int lane = 0; lane < kLanes; ++lane) {
    c[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
  }
  return c;
#endif
}

// The 4 x kLanes block out[k][row] of kLanes rows of four elements each, rows[r] being the address of row r.
// Rows 4 i + j are gathered into vector j, so that only transposes within 128-bit lanes are left.
inline void load_transposed(const float* const* rows, long offset, Vec (&out)[4]) {
  Vec in[4];
  for (int j = 0; j < 4; ++j) {
#if defined(__AVX512F__)
    const auto lower =
        __builtin_shufflevector(load4(rows[j] + offset), load4(rows[4 + j] + offset), 0, 1, 2, 3, 4, 5, 6, 7);
    const auto upper = __builtin_shufflevector(load4(rows[8 + j] + offset), load4(rows[12 + j] + offset), 0,
                                               1, 2, 3, 4, 5, 6, 7);
    in[j] = __builtin_shufflevector(lower, upper, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif defined(__AVX2__) && defined(__FMA__)
    in[j] =
        __builtin_shufflevector(load4(rows[j] + offset), load4(rows[4 + j] + offset), 0, 1, 2, 3, 4, 5, 6, 7);
#else
    in[j] = load4(rows[j] + offset);
#endif
  }
#if defined(__AVX512F__)
#define CAIRN_UNPACK(a, b, x, y)                                                                             \
  __builtin_shufflevector(a, b, (x), (x) + 16, (y), (y) + 16, (x) + 4, (x) + 20, (y) + 4, (y) + 20, (x) + 8, \
                          (x) + 24, (y) + 8, (y) + 24, (x) + 12, (x) + 28, (y) + 12, (y) + 28)
#define CAIRN_UNPACK_PAIRS(a, b, x)                                                                     \
  __builtin_shufflevector(a, b, (x), (x) + 1, (x) + 16, (x) + 17, (x) + 4, (x) + 5, (x) + 20, (x) + 21, \
                          (x) + 8, (x) + 9, (x) + 24, (x) + 25, (x) + 12, (x) + 13, (x) + 28, (x) + 29)
#elif defined(__AVX2__) && defined(__FMA__)
#define CAIRN_UNPACK(a, b, x, y) \
  __builtin_shufflevector(a, b, (x), (x) + 8, (y), (y) + 8, (x) + 4, (x) + 12, (y) + 4, (y) + 12)
#define CAIRN_UNPACK_PAIRS(a, b, x) \
  __builtin_shufflevector(a, b, (x), (x) + 1, (x) + 8, (x) + 9, (x) + 4, (x) + 5, (x) + 12, (x) + 13)
#else
#define CAIRN_UNPACK(a, b, x, y) __builtin_shufflevector(a, b, (x), (x) + 4, (y), (y) + 4)
#define CAIRN_UNPACK_PAIRS(a, b, x) __builtin_shufflevector(a, b, (x), (x) + 1, (x) + 4, (x) + 5)
#endif
  const Vec low01 = CAIRN_UNPACK(in[0], in[1], 0, 1);
  const Vec high01 = CAIRN_UNPACK(in[0], in[1], 2, 3);
  const Vec low23 = CAIRN_UNPACK(in[2], in[3], 0, 1);
  const Vec high23 = CAIRN_UNPACK(in[2], in[3], 2, 3);
  out[0] = CAIRN_UNPACK_PAIRS(low01, low23, 0);
  out[1] = CAIRN_UNPACK_PAIRS(low01, low23, 2);
  out[2] = CAIRN_UNPACK_PAIRS(high01, high23, 0);
  out[3] = CAIRN_UNPACK_PAIRS(high01, high23, 2);
#undef CAIRN_UNPACK
#undef CAIRN_UNPACK_PAIRS
}

}  // namespace cairn::simd
