// The second half of a sum over rows: blocks leave one row of partial sums each, which are added in order.
#pragma once

#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {

inline constexpr std::int64_t kPartialFloats = std::int64_t{1}
                                               << 22;  // of the workspace, for rows of partial sums

inline constexpr int kPartialLanes = 32;  // warps of a block; each adds every so many-th row

// sum_D += the rows of partial_RD.
template <int Lanes>
__global__ void add_partial_rows_kernel(float* sum_D, const float* partial_RD, std::int64_t R,
                                        std::int64_t D) {
  __shared__ float shared[Lanes][32];
  const std::int64_t d = static_cast<std::int64_t>(blockIdx.x) * 32 + threadIdx.x;
  float sum = 0.0F;
  if (d < D) {
    for (std::int64_t row = threadIdx.y; row < R; row += Lanes) {
      sum += partial_RD[row * D + d];
    }
  }
  shared[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && d < D) {
    float total = 0.0F;
#pragma unroll
    for (int lane = 0; lane < Lanes; ++lane) {
      total += shared[lane][threadIdx.x];
    }
    sum_D[d] += total;
  }
}

inline void add_partial_rows(const OpContext& ctx, float* sum_D, const float* partial_RD, std::int64_t R,
                             std::int64_t D) {
  const dim3 threads(32, kPartialLanes);
  add_partial_rows_kernel<kPartialLanes>
      <<<grid_of(D, 32), threads, 0, stream_of(ctx)>>>(sum_D, partial_RD, R, D);
}

}  // namespace cairn::ops::cuda
