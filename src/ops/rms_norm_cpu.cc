#include <algorithm>
#include <cmath>

#include "ops/rms_norm_backends.h"
#include "ops/vector_loop.h"

namespace cairn::ops::cpu {
namespace {

// Rows for one worker at least; a row of one head has few channels.
constexpr std::int64_t kElementGrain = 8192;
std::int64_t row_grain(std::int64_t D) {
  return std::max<std::int64_t>(1, kElementGrain / D);
}

// Columns that one pass over the rows sums, and rows that are summed in float32 before they join the double.
constexpr std::int64_t kColumnTile = 128;
constexpr std::int64_t kRowChunk = 32;
constexpr std::int64_t kColumnGrain = 16;

}  // namespace

void rms_norm_forward(const OpContext& ctx, TensorView y_ND, TensorView rstd_N, ConstTensorView x_ND,
                      ConstTensorView weight_D, float eps) {
  const std::int64_t D = x_ND.dim(1);
  const float* const x = x_ND.data<float>();
  const float* const weight = weight_D.data<float>();
  float* const y = y_ND.data<float>();
  float* const rstd = rstd_N.data<float>();
  ctx.pool.parallel_for(x_ND.dim(0), row_grain(D), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const float* const x_D = x + n * D;
      float* const y_D = y + n * D;
      Lanes<float> squares{};
      add_to_lanes(squares, D, [&](std::int64_t d) { return x_D[d] * x_D[d]; });
      const float scale = 1.0F / std::sqrt(sum_lanes(squares) / static_cast<float>(D) + eps);
      rstd[n] = scale;
      CAIRN_INDEPENDENT_ITERATIONS
      for (std::int64_t d = 0; d < D; ++d) {
        y_D[d] = x_D[d] * scale * weight[d];
      }
    }
  });
}

namespace {

// dx_d = rstd w_d dy_d - x_d rstd^3 / D sum_D(w dy x), one row.
template <bool kIsAdding>
void backward_input_row(float* dx_D, const float* dy_D, const float* x_D, const float* weight, float rstd,
                        std::int64_t D) {
  Lanes<float> products{};
  add_to_lanes(products, D, [&](std::int64_t d) { return dy_D[d] * weight[d] * x_D[d]; });
  const float projection = sum_lanes(products) * rstd * rstd / static_cast<float>(D);
  CAIRN_INDEPENDENT_ITERATIONS
  for (std::int64_t d = 0; d < D; ++d) {
    const float dx = rstd * (weight[d] * dy_D[d] - x_D[d] * projection);
    dx_D[d] = kIsAdding ? dx_D[d] + dx : dx;
  }
}

}  // namespace

void rms_norm_backward_input(const OpContext& ctx, TensorView dx_ND, ConstTensorView dy_ND,
                             ConstTensorView x_ND, ConstTensorView weight_D, ConstTensorView rstd_N,
                             WriteMode mode) {
  const std::int64_t D = x_ND.dim(1);
  const float* const dy = dy_ND.data<float>();
  const float* const x = x_ND.data<float>();
  const float* const weight = weight_D.data<float>();
  const float* const rstd = rstd_N.data<float>();
  float* const dx = dx_ND.data<float>();
  const auto row = mode == WriteMode::kAdd ? backward_input_row<true> : backward_input_row<false>;
  ctx.pool.parallel_for(x_ND.dim(0), row_grain(D), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      row(dx + n * D, dy + n * D, x + n * D, weight, rstd[n], D);
    }
  });
}

namespace {

// dweight[d] += sum over rows of dy x rstd, for columns [begin, begin + width). Chunks of rows are summed in
// float32 and added in double in row order: the bits depend on the rows alone.
void backward_weight_tile(float* dweight, const float* dy, const float* x, const float* rstd, std::int64_t N,
                          std::int64_t D, std::int64_t begin, std::int64_t width) {
  double total[kColumnTile] = {};
  for (std::int64_t chunk = 0; chunk < N; chunk += kRowChunk) {
    float partial[kColumnTile] = {};
    for (std::int64_t n = chunk; n < std::min(N, chunk + kRowChunk); ++n) {
      const float* const dy_D = dy + n * D + begin;
      const float* const x_D = x + n * D + begin;
      for (std::int64_t d = 0; d < width; ++d) {
        partial[d] += dy_D[d] * (x_D[d] * rstd[n]);
      }
    }
    for (std::int64_t d = 0; d < width; ++d) {
      total[d] += static_cast<double>(partial[d]);
    }
  }
  for (std::int64_t d = 0; d < width; ++d) {
    dweight[begin + d] += static_cast<float>(total[d]);
  }
}

}  // namespace

void rms_norm_backward_weight(const OpContext& ctx, TensorView dweight_D, ConstTensorView dy_ND,
                              ConstTensorView x_ND, ConstTensorView rstd_N) {
  const std::int64_t N = x_ND.dim(0);
  const std::int64_t D = x_ND.dim(1);
  const float* const dy = dy_ND.data<float>();
  const float* const x = x_ND.data<float>();
  const float* const rstd = rstd_N.data<float>();
  float* const dweight = dweight_D.data<float>();
  const std::int64_t grain = N * D <= kElementGrain ? D : kColumnGrain;
  ctx.pool.parallel_for(D, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t d = begin; d < end; d += kColumnTile) {
      backward_weight_tile(dweight, dy, x, rstd, N, D, d, std::min(kColumnTile, end - d));
    }
  });
}

}  // namespace cairn::ops::cpu
