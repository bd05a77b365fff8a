// A row stays in the registers of a block (of a warp for the short rows of heads) from its first read to its last use. Backward
// keeps the weight's gradient of its columns in registers, too, over all rows that a block works on.
#include <algorithm>

#include "ops/kernel_cuda.cuh"
#include "ops/partial_sums_cuda.cuh"
#include "ops/rms_norm_backends.h"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;

template <int RowThreads>
__device__ float row_sum(float x, float* shared) {
  if constexpr (RowThreads == 32) {
    return warp_sum(x);
  } else {
    return block_sum(x, shared);
  }
}

// Row `row` in vectors of Width: vector i of a thread starts at column (i * RowThreads + lane) * Width.
template <class T, int Width, int RowThreads, int Vectors>
struct RowOf {
  float x[Vectors][Width];

  __device__ static std::int64_t column(int lane, int i) {
    return static_cast<std::int64_t>(i * RowThreads + lane) * Width;
  }
  __device__ void read(const T* from, int lane, std::int64_t D) {
#pragma unroll
    for (int i = 0; i < Vectors; ++i) {
      if (column(lane, i) < D) {
        load(from + column(lane, i), x[i]);
      } else {
#pragma unroll
        for (int k = 0; k < Width; ++k) {
          x[i][k] = 0.0F;
        }
      }
    }
  }
};

struct Rows {
  std::int64_t N, D;
};

template <class T, int Width, int RowThreads, int Vectors>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(T* y, float* rstd, const T* x, const float* weight, Rows rows, float eps) {
  using Row = RowOf<T, Width, RowThreads, Vectors>;
  __shared__ float shared[32];
  const int lane = static_cast<int>(threadIdx.x) % RowThreads;
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / RowThreads) + threadIdx.x / RowThreads;
  if (row >= rows.N) {
    return;  // whole warps only, and never where the block works on one row
  }
  Row in;
  in.read(x + row * rows.D, lane, rows.D);
  float squares = 0.0F;
#pragma unroll
  for (int i = 0; i < Vectors; ++i) {
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      squares += in.x[i][k] * in.x[i][k];
    }
  }
  const float r = rsqrtf(row_sum<RowThreads>(squares, shared) / static_cast<float>(rows.D) + eps);
#pragma unroll
  for (int i = 0; i < Vectors; ++i) {
    const std::int64_t d = Row::column(lane, i);
    if (d < rows.D) {
      float w[Width];
      load(weight + d, w);
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        in.x[i][k] *= r * w[k];
      }
      store(y + row * rows.D + d, in.x[i]);
    }
  }
  if (lane == 0) {
    rstd[row] = r;
  }
}

// Worker w (a block, or a warp of one) takes rows w, w + workers, ...: dx of each, and partial[w] = sum of dy x rstd.
template <class T, int Width, int RowThreads, int Vectors, bool Adds>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(T* dx, float* partial, const T* dy, const T* x, const float* weight, const float* rstd,
                    Rows rows) {
  using Row = RowOf<T, Width, RowThreads, Vectors>;
  __shared__ float shared[32];
  const int lane = static_cast<int>(threadIdx.x) % RowThreads;
  const std::int64_t worker =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / RowThreads) + threadIdx.x / RowThreads;
  const std::int64_t workers = static_cast<std::int64_t>(gridDim.x) * (kThreads / RowThreads);
  float sums[Vectors][Width] = {};
  for (std::int64_t row = worker; row < rows.N; row += workers) {
    Row in;
    Row gradient;
    in.read(x + row * rows.D, lane, rows.D);
    gradient.read(dy + row * rows.D, lane, rows.D);
    const float r = rstd[row];
    float dot = 0.0F;
#pragma unroll
    for (int i = 0; i < Vectors; ++i) {
      float w[Width] = {};
      if (Row::column(lane, i) < rows.D) {
        load(weight + Row::column(lane, i), w);
      }
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        sums[i][k] += gradient.x[i][k] * in.x[i][k] * r;
        gradient.x[i][k] *= w[k];
        dot += gradient.x[i][k] * in.x[i][k];
      }
    }
    const float share = row_sum<RowThreads>(dot, shared) / static_cast<float>(rows.D) * r * r;
#pragma unroll
    for (int i = 0; i < Vectors; ++i) {
      const std::int64_t d = Row::column(lane, i);
      if (d < rows.D) {
        float out[Width] = {};
        if constexpr (Adds) {
          load(dx + row * rows.D + d, out);
        }
#pragma unroll
        for (int k = 0; k < Width; ++k) {
          out[k] += r * (gradient.x[i][k] - in.x[i][k] * share);
        }
        store(dx + row * rows.D + d, out);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < Vectors; ++i) {
    const std::int64_t d = Row::column(lane, i);
    if (d < rows.D) {
      store(partial + worker * rows.D + d, sums[i]);
    }
  }
}

// As many blocks as the whole GPU runs at once: each then works on the same number of rows, give or take one.
template <class Kernel>
std::int64_t resident_blocks(const OpContext& ctx, Kernel kernel) {
  int per_multiprocessor = 0;
  const cudaError_t error =
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_multiprocessor, kernel, kThreads, 0);
  CHECK(error == cudaSuccess && per_multiprocessor > 0, "rms_norm: the GPU cannot run a kernel");
  return std::int64_t{per_multiprocessor} * ctx.device->num_multiprocessors();
}

// Calls body(T, Width, RowThreads, Vectors) with enough vectors for the row.
template <class Body>
void for_rows(const ConstTensorView& x_ND, Body&& body) {
  const std::int64_t D = x_ND.dim(1);
  if (x_ND.dim(0) == 0) {
    return;
  }
  for_dtype(x_ND.dtype(), [&](auto element) {
    for_width<decltype(element)>(D, [&](auto width) {
      const auto with_vectors = [&](auto row_threads) {
        const std::int64_t vectors = (D + width * row_threads - 1) / (width * row_threads);
        CHECK(vectors <= 32, "rms_norm: rows too wide for the GPU's registers");
        if (vectors <= 1) {
          body(element, width, row_threads, std::integral_constant<int, 1>{});
        } else if (vectors <= 2) {
          body(element, width, row_threads, std::integral_constant<int, 2>{});
        } else if (vectors <= 4) {
          body(element, width, row_threads, std::integral_constant<int, 4>{});
        } else if (vectors <= 8) {
          body(element, width, row_threads, std::integral_constant<int, 8>{});
        } else {
          body(element, width, row_threads, std::integral_constant<int, 32>{});
        }
      };
      if (D <= 512) {
        with_vectors(std::integral_constant<int, 32>{});
      } else {
        with_vectors(std::integral_constant<int, kThreads>{});
      }
    });
  });
}

}  // namespace

void rms_norm_forward(const OpContext& ctx, TensorView y_ND, TensorView rstd_N, ConstTensorView x_ND,
                      ConstTensorView weight_D, float eps) {
  const Rows rows{x_ND.dim(0), x_ND.dim(1)};
  for_rows(x_ND, [&](auto element, auto width, auto row_threads, auto vectors) {
    using T = decltype(element);
    forward_kernel<T, width, row_threads, vectors>
        <<<grid_of(rows.N, kThreads / row_threads), kThreads, 0, stream_of(ctx)>>>(
            pointer<T>(y_ND), pointer<float>(rstd_N), pointer<T>(x_ND), pointer<float>(weight_D), rows, eps);
  });
  ctx.device->check_launch("rms_norm_forward");
}

void rms_norm_backward(const OpContext& ctx, const RmsNormBackward& args) {
  const Rows rows{args.x_ND.dim(0), args.x_ND.dim(1)};
  float* const partial = pointer<float>(ctx.workspace);
  for_rows(args.x_ND, [&](auto element, auto width, auto row_threads, auto vectors) {
    using T = decltype(element);
    constexpr int kRowsPerBlock = kThreads / row_threads;
    const auto launch = [&](auto adds) {
      const auto kernel = backward_kernel<T, width, row_threads, vectors, adds>;
      const std::int64_t blocks =
          std::min<std::int64_t>({(rows.N + kRowsPerBlock - 1) / kRowsPerBlock,
                                  kPartialFloats / rows.D / kRowsPerBlock, resident_blocks(ctx, kernel)});
      CHECK(blocks > 0, "rms_norm_backward: rows too wide for the workspace");
      kernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream_of(ctx)>>>(
          pointer<T>(args.dx_ND), partial, pointer<T>(args.dy_ND), pointer<T>(args.x_ND),
          pointer<float>(args.weight_D), pointer<float>(args.rstd_N), rows);
      add_partial_rows(ctx, pointer<float>(args.dweight_D), partial, blocks * kRowsPerBlock, rows.D);
    };
    if (args.mode == WriteMode::kAdd) {
      launch(std::true_type{});
    } else {
      launch(std::false_type{});
    }
  });
  ctx.device->check_launch("rms_norm_backward");
}

}  // namespace cairn::ops::cuda
