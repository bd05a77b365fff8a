// The widest float vector of the instruction set the file is compiled for, and the few operations that the
// CPU kernels need. Results never depend on the width: lanes hold independent outputs.
#pragma once

#include <cstddef>
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

// No alignment is needed.
inline Vec load(const float* source) {
  Vec v;
  std::memcpy(&v, source, sizeof(v));
  return v;
}
inline void store(float* target, Vec v) {
  std::memcpy(target, &v, sizeof(v));
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

#if defined(__AVX512F__)
// Within each 128-bit part: a[x] b[x] a[y] b[y], and a[x] a[x+1] b[x] b[x+1].
#define CAIRN_ZIP(a, b, x, y)                                                                                \
  __builtin_shufflevector(a, b, (x), (x) + 16, (y), (y) + 16, (x) + 4, (x) + 20, (y) + 4, (y) + 20, (x) + 8, \
                          (x) + 24, (y) + 8, (y) + 24, (x) + 12, (x) + 28, (y) + 12, (y) + 28)
#define CAIRN_ZIP_PAIRS(a, b, x)                                                                        \
  __builtin_shufflevector(a, b, (x), (x) + 1, (x) + 16, (x) + 17, (x) + 4, (x) + 5, (x) + 20, (x) + 21, \
                          (x) + 8, (x) + 9, (x) + 24, (x) + 25, (x) + 12, (x) + 13, (x) + 28, (x) + 29)
// Parts p and q of a, then parts p and q of b.
#define CAIRN_PARTS(a, b, p, q)                                                                             \
  __builtin_shufflevector(a, b, 4 * (p), 4 * (p) + 1, 4 * (p) + 2, 4 * (p) + 3, 4 * (q), 4 * (q) + 1,       \
                          4 * (q) + 2, 4 * (q) + 3, 16 + 4 * (p), 17 + 4 * (p), 18 + 4 * (p), 19 + 4 * (p), \
                          16 + 4 * (q), 17 + 4 * (q), 18 + 4 * (q), 19 + 4 * (q))
#elif defined(__AVX2__) && defined(__FMA__)
#define CAIRN_ZIP(a, b, x, y) \
  __builtin_shufflevector(a, b, (x), (x) + 8, (y), (y) + 8, (x) + 4, (x) + 12, (y) + 4, (y) + 12)
#define CAIRN_ZIP_PAIRS(a, b, x) \
  __builtin_shufflevector(a, b, (x), (x) + 1, (x) + 8, (x) + 9, (x) + 4, (x) + 5, (x) + 12, (x) + 13)
#else
#define CAIRN_ZIP(a, b, x, y) __builtin_shufflevector(a, b, (x), (x) + 4, (y), (y) + 4)
#define CAIRN_ZIP_PAIRS(a, b, x) __builtin_shufflevector(a, b, (x), (x) + 1, (x) + 4, (x) + 5)
#endif

// Transposes the four 4 x 4 blocks that four vectors hold side by side.
inline void transpose_parts(Vec& r0, Vec& r1, Vec& r2, Vec& r3) {
  const Vec low01 = CAIRN_ZIP(r0, r1, 0, 1);
  const Vec high01 = CAIRN_ZIP(r0, r1, 2, 3);
  const Vec low23 = CAIRN_ZIP(r2, r3, 0, 1);
  const Vec high23 = CAIRN_ZIP(r2, r3, 2, 3);
  r0 = CAIRN_ZIP_PAIRS(low01, low23, 0);
  r1 = CAIRN_ZIP_PAIRS(low01, low23, 2);
  r2 = CAIRN_ZIP_PAIRS(high01, high23, 0);
  r3 = CAIRN_ZIP_PAIRS(high01, high23, 2);
}

// out[k] = (rows[0][k], rows[1][k], ..., rows[kLanes - 1][k]) for k < kLanes: a square transpose in registers,
// which reads every cache line once whatever the stride of the rows.
inline void load_transposed(const float* const* rows, std::ptrdiff_t offset, Vec (&out)[kLanes]) {
  Vec r[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    r[i] = load(rows[i] + offset);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kLanes; i += 4) {
    transpose_parts(r[i], r[i + 1], r[i + 2], r[i + 3]);
  }
  // Now part p of r[4 g + j] holds column 4 p + j of rows 4 g .. 4 g + 3.
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
#if defined(__AVX512F__)
    const Vec even01 = CAIRN_PARTS(r[j], r[4 + j], 0, 2);
    const Vec odd01 = CAIRN_PARTS(r[j], r[4 + j], 1, 3);
    const Vec even23 = CAIRN_PARTS(r[8 + j], r[12 + j], 0, 2);
    const Vec odd23 = CAIRN_PARTS(r[8 + j], r[12 + j], 1, 3);
    out[j] = CAIRN_PARTS(even01, even23, 0, 2);
    out[4 + j] = CAIRN_PARTS(odd01, odd23, 0, 2);
    out[8 + j] = CAIRN_PARTS(even01, even23, 1, 3);
    out[12 + j] = CAIRN_PARTS(odd01, odd23, 1, 3);
#elif defined(__AVX2__) && defined(__FMA__)
    out[j] = __builtin_shufflevector(r[j], r[4 + j], 0, 1, 2, 3, 8, 9, 10, 11);
    out[4 + j] = __builtin_shufflevector(r[j], r[4 + j], 4, 5, 6, 7, 12, 13, 14, 15);
#else
    out[j] = r[j];
#endif
  }
}
#undef CAIRN_ZIP
#undef CAIRN_ZIP_PAIRS
#undef CAIRN_PARTS

}  // namespace cairn::simd
