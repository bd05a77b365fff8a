#include <algorithm>
#include <cmath>
#include <string>

#include "ops/rope_backends.h"
#include "ops/vector_loop.h"

namespace cairn::ops::cpu {
namespace {

constexpr std::int64_t kElementGrain = 8192;

struct CosSin {
  float cos;
  float sin;
};

// Cosine and sine of a float angle, worked out in double with nothing but add, multiply and round, and rounded
// once to float32: libm's bits differ between machines. Error 0.5 ulp + 1e-15.
// REQUIRES 0 <= angle < 2^25: with pi/2 split after 28 bits, quotient * high part is then exact.
CosSin cos_sin(float angle) {
  constexpr double kHalfPiHigh = 0x1.921fb54p+0;
  constexpr double kHalfPiMiddle = 0x1.10b461p-30;
  constexpr double kHalfPiLow = 0x1.a62633145c06ep-58;
  const double x = static_cast<double>(angle);
  const double quotient = std::floor(x * 0x1.45f306dc9c883p-1 + 0.5);
  const double r = ((x - quotient * kHalfPiHigh) - quotient * kHalfPiMiddle) - quotient * kHalfPiLow;
  const double r2 = r * r;
  // Taylor series on [-pi/4, pi/4]: the first term left out is below 1e-17.
  double sine = 1.0;
  double cosine = 1.0;
  for (int k = 8; k >= 1; --k) {
    const double two_k = 2.0 * k;
    sine = 1.0 - r2 / (two_k * (two_k + 1.0)) * sine;
    cosine = 1.0 - r2 / (two_k * (two_k - 1.0)) * cosine;
  }
  sine *= r;
  switch (static_cast<std::int64_t>(quotient) & 3) {
    case 0:
      return {static_cast<float>(cosine), static_cast<float>(sine)};
    case 1:
      return {static_cast<float>(-sine), static_cast<float>(cosine)};
    case 2:
      return {static_cast<float>(-cosine), static_cast<float>(-sine)};
    default:
      return {static_cast<float>(sine), static_cast<float>(-cosine)};
  }
}

}  // namespace

void rope_table(const OpContext& ctx, TensorView cos_PK, TensorView sin_PK,
                std::span<const float> inverse_frequency_K) {
  const std::int64_t P = cos_PK.dim(0);
  const std::int64_t K = cos_PK.dim(1);
  float* const cosines = cos_PK.data<float>();
  float* const sines = sin_PK.data<float>();
  for (const float frequency : inverse_frequency_K) {
    CHECK(frequency >= 0.0F && frequency <= 1.0F, "rope_table: a frequency is not in [0, 1]");
  }
  ctx.pool.parallel_for(P, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      for (std::int64_t k = 0; k < K; ++k) {
        // The angle is rounded to float32 as the published implementations do.
        const CosSin rotation =
            cos_sin(static_cast<float>(p) * inverse_frequency_K[static_cast<std::size_t>(k)]);
        cosines[p * K + k] = rotation.cos;
        sines[p * K + k] = rotation.sin;
      }
    }
  });
}

namespace {

// One head: (a, b) -> (a cos - b sin, b cos + a sin) with a, b the two halves of the channels.
void rotate_head(float* y, const float* x, const float* cosine, const float* sine, float direction,
                 std::int64_t half) {
  CAIRN_INDEPENDENT_ITERATIONS
  for (std::int64_t i = 0; i < half; ++i) {
    const float a = x[i];
    const float b = x[half + i];
    const float s = direction * sine[i];
    y[i] = a * cosine[i] - b * s;
    y[half + i] = b * cosine[i] + a * s;
  }
}

}  // namespace

void rope_rotate(const OpContext& ctx, TensorView y_NHC, ConstTensorView x_NHC, ConstTensorView positions_N,
                 ConstTensorView cos_PK, ConstTensorView sin_PK, float direction) {
  const std::int64_t H = x_NHC.dim(1);
  const std::int64_t C = x_NHC.dim(2);
  const std::int64_t P = cos_PK.dim(0);
  const float* const x = x_NHC.data<float>();
  const std::int32_t* const positions = positions_N.data<std::int32_t>();
  const float* const cosines = cos_PK.data<float>();
  const float* const sines = sin_PK.data<float>();
  float* const y = y_NHC.data<float>();
  const std::int64_t grain = std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(1, H * C));
  ctx.pool.parallel_for(x_NHC.dim(0), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const std::int64_t position = positions[n];
      CHECK(position >= 0 && position < P, "rope: position " + std::to_string(position) + " of row " +
                                               std::to_string(n) + " is outside the table of " +
                                               std::to_string(P));
      const std::int64_t table_row = position * (C / 2);
      for (std::int64_t h = 0; h < H; ++h) {
        const std::int64_t head = (n * H + h) * C;
        rotate_head(y + head, x + head, cosines + table_row, sines + table_row, direction, C / 2);
      }
    }
  });
}

}  // namespace cairn::ops::cpu
