// Forward keeps a row in the registers of a block (of a warp for the short rows of heads) from its first read to its last use. Backward
// keeps the weight's gradient of its columns there, over all rows that a block works on, and lets the next row come into shared memory
// while it works on one.
#include <algorithm>

#include <cuda_pipeline.h>

#include "ops/amax_cuda.cuh"
#include "ops/kernel_cuda.cuh"
#include "ops/partial_sums_cuda.cuh"
#include "ops/rms_norm_backends.h"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWideThreads = 512;  // of rows above 4,096

// The sum over the threads of a row. Of a block that works on one row after the other `turn` alternates, so that one barrier is
// enough: the sums of a row are read before the block can reach those of the row after the next.
template <int RowThreads>
__device__ float row_sum(float x, float (&shared)[2][32], int turn) {
  x = warp_sum(x);
  if constexpr (RowThreads == 32) {
    return x;
  } else {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    if (lane == 0) {
      shared[turn][threadIdx.x / 32] = x;
    }
    __syncthreads();
    return warp_sum(lane < RowThreads / 32 ? shared[turn][lane] : 0.0F);
  }
}

// A row in vectors of Width: vector i of a thread starts at column (i * RowThreads + lane) * Width. In the tensor's own dtype: of
// bfloat16 that is half the registers of float32.
template <class T, int Width, int RowThreads, int Vectors>
struct RowOf {
  Packed<T, Width> vectors[Vectors];

  __device__ static std::int64_t column(int lane, int i) {
    return static_cast<std::int64_t>(i * RowThreads + lane) * Width;
  }
  // Zeros behind the end of the row.
  __device__ void read(const T* from, int lane, std::int64_t D) {
#pragma unroll
    for (int i = 0; i < Vectors; ++i) {
      if (column(lane, i) < D) {
        vectors[i] = *reinterpret_cast<const Packed<T, Width>*>(from + column(lane, i));
      } else {
        vectors[i] = Packed<T, Width>{};
      }
    }
  }
  __device__ float value(int i, int k) const {
    return to_float(vectors[i].x[k]);
  }
};

struct Rows {
  std::int64_t N, D;
};

template <int RowThreads>
inline constexpr int kBlockThreads = RowThreads > kThreads ? RowThreads : kThreads;

template <class T, int Width, int RowThreads, int Vectors>
__global__ void __launch_bounds__(kBlockThreads<RowThreads>)
    forward_kernel(T* y, float* rstd, std::uint32_t* amax, const T* x, const float* weight, Rows rows,
                   float eps) {
  using Row = RowOf<T, Width, RowThreads, Vectors>;
  __shared__ float shared[2][32];
  constexpr int kRows = kBlockThreads<RowThreads> / RowThreads;
  const int lane = static_cast<int>(threadIdx.x) % RowThreads;
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kRows + threadIdx.x / RowThreads;
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
      squares += in.value(i, k) * in.value(i, k);
    }
  }
  const float r = rsqrtf(row_sum<RowThreads>(squares, shared, 0) / static_cast<float>(rows.D) + eps);
  std::uint32_t largest = 0;
#pragma unroll
  for (int i = 0; i < Vectors; ++i) {
    const std::int64_t d = Row::column(lane, i);
    if (d < rows.D) {
      float w[Width];
      load(weight + d, w);
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        w[k] *= in.value(i, k) * r;
      }
      largest = max(largest, store_measured(y + row * rows.D + d, w));
    }
  }
  if (lane == 0) {
    rstd[row] = r;
  }
  if (amax != nullptr) {
    raise_amax(amax, largest);
  }
}

// Rows that backward reads: x, dy and, where it adds, dx, in the order of memory.
template <bool Adds>
inline constexpr int kOperands = Adds ? 3 : 2;

// Vectors of 16 bytes are copied to shared memory while the row before is worked on; each thread reads what it copied itself.
template <class T, int Width, int Vectors>
inline constexpr bool kCopiesAhead = Width * sizeof(T) == 16 && Vectors <= 4;

template <class T, int Width, int RowThreads, int Vectors, bool Adds>
inline constexpr std::size_t kSharedBytes = kCopiesAhead<T, Width, Vectors>
                                                ? std::size_t{2} * kOperands<Adds>* Vectors * 16 *
                                                      static_cast<std::size_t>(kBlockThreads<RowThreads>)
                                                : 0;

// What one thread holds of a row's operands, either in its slots of shared memory, where stage() puts them, or in memory.
template <class T, int Width, int RowThreads, int Vectors, bool Adds>
struct Operands {
  using Row = RowOf<T, Width, RowThreads, Vectors>;
  static constexpr bool kAhead = kCopiesAhead<T, Width, Vectors>;
  const T* from[3];  // x, dy, dx
  std::int64_t D;
  int lane;
  std::byte* slots;

  __device__ std::byte* slot(int turn, int operand, int i) const {
    return slots + (static_cast<std::size_t>((turn * kOperands<Adds> + operand) * Vectors + i) * blockDim.x +
                    threadIdx.x) *
                       16;
  }
  __device__ void stage(int turn, std::int64_t row, std::int64_t rows) const {
    if constexpr (kAhead) {
      if (row < rows) {
#pragma unroll
        for (int operand = 0; operand < kOperands<Adds>; ++operand) {
#pragma unroll
          for (int i = 0; i < Vectors; ++i) {
            if (Row::column(lane, i) < D) {
              __pipeline_memcpy_async(slot(turn, operand, i), from[operand] + row * D + Row::column(lane, i),
                                      16);
            }
          }
        }
      }
      __pipeline_commit();
    }
  }
  // Until the row staged last but one has arrived.
  __device__ void wait() const {
    if constexpr (kAhead) {
      __pipeline_wait_prior(1);
      asm volatile("" ::: "memory");  // no read of the slots moves above it
    }
  }
  __device__ void read(float (&to)[Width], int turn, std::int64_t row, int operand, int i) const {
    if constexpr (kAhead) {
      load(reinterpret_cast<const T*>(slot(turn, operand, i)), to);
    } else {
      load(from[operand] + row * D + Row::column(lane, i), to);
    }
  }
};

// Worker w (a block, or a warp of one) takes rows w, w + workers, ...: dx of each, and partial[w] = sum of dy x rstd.
template <class T, int Width, int RowThreads, int Vectors, bool Adds>
__global__ void __launch_bounds__(kBlockThreads<RowThreads>)
    backward_kernel(T* dx, float* partial, const T* dy, const T* x, const float* weight, const float* rstd,
                    Rows rows) {
  using Row = RowOf<T, Width, RowThreads, Vectors>;
  extern __shared__ __align__(16) std::byte slots[];
  __shared__ float shared[2][32];
  constexpr int kRows = kBlockThreads<RowThreads> / RowThreads;
  const int lane = static_cast<int>(threadIdx.x) % RowThreads;
  const std::int64_t worker = static_cast<std::int64_t>(blockIdx.x) * kRows + threadIdx.x / RowThreads;
  const std::int64_t workers = static_cast<std::int64_t>(gridDim.x) * kRows;
  const Operands<T, Width, RowThreads, Vectors, Adds> operands = {{x, dy, dx}, rows.D, lane, slots};
  int turn = 0;
  float sums[Vectors][Width] = {};
  operands.stage(turn, worker, rows.N);
  for (std::int64_t row = worker; row < rows.N; row += workers) {
    operands.stage(turn ^ 1, row + workers, rows.N);
    operands.wait();
    const float r = rstd[row];
    float dot = 0.0F;
#pragma unroll
    for (int i = 0; i < Vectors; ++i) {
      if (Row::column(lane, i) < rows.D) {
        float w[Width], in[Width], gradient[Width];
        load(weight + Row::column(lane, i), w);
        operands.read(in, turn, row, 0, i);
        operands.read(gradient, turn, row, 1, i);
#pragma unroll
        for (int k = 0; k < Width; ++k) {
          const float product = gradient[k] * in[k];
          sums[i][k] += product * r;
          dot += product * w[k];
        }
      }
    }
    const float share = row_sum<RowThreads>(dot, shared, turn) / static_cast<float>(rows.D) * r * r;
#pragma unroll
    for (int i = 0; i < Vectors; ++i) {
      const std::int64_t d = Row::column(lane, i);
      if (d < rows.D) {
        float out[Width], in[Width], gradient[Width];
        load(weight + d, out);
        operands.read(in, turn, row, 0, i);
        operands.read(gradient, turn, row, 1, i);
#pragma unroll
        for (int k = 0; k < Width; ++k) {
          out[k] = r * (gradient[k] * out[k] - in[k] * share);
        }
        if constexpr (Adds) {
          float before[Width];
          operands.read(before, turn, row, 2, i);
#pragma unroll
          for (int k = 0; k < Width; ++k) {
            out[k] += before[k];
          }
        }
        store(dx + row * rows.D + d, out);
      }
    }
    turn ^= 1;
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
std::int64_t resident_blocks(const OpContext& ctx, Kernel kernel, int threads, std::size_t shared_bytes) {
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
  int per_multiprocessor = 0;
  const cudaError_t error =
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_multiprocessor, kernel, threads, shared_bytes);
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
      } else if (D <= 4096) {
        with_vectors(std::integral_constant<int, kThreads>{});
      } else {  // half the registers a thread
        with_vectors(std::integral_constant<int, kWideThreads>{});
      }
    });
  });
}

}  // namespace

void rms_norm_forward(const OpContext& ctx, TensorView y_ND, TensorView rstd_N, ConstTensorView x_ND,
                      ConstTensorView weight_D, float eps, TensorView amax) {
  const Rows rows{x_ND.dim(0), x_ND.dim(1)};
  std::uint32_t* const largest = start_amax(ctx, amax);
  for_rows(x_ND, [&](auto element, auto width, auto row_threads, auto vectors) {
    using T = decltype(element);
    forward_kernel<T, width, row_threads, vectors>
        <<<grid_of(rows.N, kBlockThreads<row_threads> / row_threads), kBlockThreads<row_threads>, 0,
           stream_of(ctx)>>>(pointer<T>(y_ND), pointer<float>(rstd_N), largest, pointer<T>(x_ND),
                             pointer<float>(weight_D), rows, eps);
  });
  ctx.device->check_launch("rms_norm_forward");
}

void rms_norm_backward(const OpContext& ctx, const RmsNormBackward& args) {
  const Rows rows{args.x_ND.dim(0), args.x_ND.dim(1)};
  float* const partial = pointer<float>(ctx.workspace);
  for_rows(args.x_ND, [&](auto element, auto width, auto row_threads, auto vectors) {
    using T = decltype(element);
    constexpr int kBlock = kBlockThreads<row_threads>;
    constexpr int kRowsPerBlock = kBlock / row_threads;
    const auto launch = [&](auto adds) {
      const auto kernel = backward_kernel<T, width, row_threads, vectors, adds>;
      constexpr std::size_t kShared = kSharedBytes<T, width, row_threads, vectors, adds>;
      const std::int64_t blocks = std::min<std::int64_t>({(rows.N + kRowsPerBlock - 1) / kRowsPerBlock,
                                                          kPartialFloats / rows.D / kRowsPerBlock,
                                                          resident_blocks(ctx, kernel, kBlock, kShared)});
      CHECK(blocks > 0, "rms_norm_backward: rows too wide for the workspace");
      kernel<<<static_cast<unsigned>(blocks), kBlock, kShared, stream_of(ctx)>>>(
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
