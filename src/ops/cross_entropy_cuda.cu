#include <algorithm>

#include <cooperative_groups.h>

#include "ops/cross_entropy_backends.h"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 512;
// Of one pass over a row: a block keeps so much of it, so that three blocks fit a multiprocessor; a cluster has at most
// so many blocks on every GPU that knows clusters.
constexpr int kKeptBytes = 64 << 10;
constexpr int kClusterMax = 8;

// Running maximum and sum of exponentials of one thread, then of the block: one pass over the row.
template <class T, int Width>
__global__ void forward_kernel(float* loss, float* lse, const T* logits, const std::int32_t* targets,
                               const float* weight, std::int64_t V) {
  __shared__ float shared[32];
  const std::int64_t row = blockIdx.x;
  const T* values = logits + row * V;
  float maximum = -INFINITY;
  float sum = 0.0F;
  for (std::int64_t i = threadIdx.x * Width; i < V; i += kThreads * Width) {
    float x[Width];
    load(values + i, x);
    float next = maximum;
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      next = fmaxf(next, x[k]);
    }
    float part = 0.0F;
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      part += __expf(x[k] - next);
    }
    sum = sum * __expf(maximum - next) + part;
    maximum = next;
  }
  const float row_maximum = block_max(maximum, shared);
  const float row_sum = block_sum(maximum == -INFINITY ? 0.0F : sum * __expf(maximum - row_maximum), shared);
  if (threadIdx.x == 0) {
    const float log_of_sum = logf(row_sum);
    lse[row] = row_maximum + log_of_sum;
    loss[row] = weight[row] == 0.0F ? 0.0F : row_maximum - to_float(values[targets[row]]) + log_of_sum;
  }
}

template <class T, int Width>
__global__ void backward_kernel(T* dlogits, const T* logits, const float* lse, const std::int32_t* targets,
                                const float* dloss, std::int64_t V) {
  const std::int64_t row = blockIdx.x;
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x) * Width;
  if (i >= V) {
    return;
  }
  const float scale = dloss[row];
  float x[Width];
  load(logits + row * V + i, x);
  const float log_sum = lse[row];
  const std::int64_t target = targets[row];
#pragma unroll
  for (int k = 0; k < Width; ++k) {
    x[k] = scale == 0.0F ? 0.0F : (__expf(x[k] - log_sum) - (i + k == target ? 1.0F : 0.0F)) * scale;
  }
  store(dlogits + row * V + i, x);
}

// Of exp(x - maximum) over a part of a row.
struct PartOfRow {
  float maximum;
  float sum;
};

// What a thread finds in its part of a slice, whose first `num_kept` elements are kept in shared memory meanwhile.
template <class T, int Width>
__device__ inline PartOfRow keep_and_sum(T* kept, std::int64_t num_kept, const T* values,
                                         std::int64_t count) {
  PartOfRow part = {-INFINITY, 0.0F};
#pragma unroll 4
  for (std::int64_t i = threadIdx.x * Width; i < count; i += kThreads * Width) {
    const auto packed = *reinterpret_cast<const Packed<T, Width>*>(values + i);
    if (i < num_kept) {
      *reinterpret_cast<Packed<T, Width>*>(kept + i) = packed;
    }
    float x[Width];
    float next = part.maximum;
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      x[k] = to_float(packed.x[k]);
      next = fmaxf(next, x[k]);
    }
    float added = 0.0F;
    const float log2_next = next * kLog2E;
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      added += exp2_fast(fmaf(x[k], kLog2E, -log2_next));
    }
    part = {next, part.sum * __expf(part.maximum - next) + added};
  }
  return part;
}

__device__ inline float rescaled(PartOfRow part, float maximum) {
  return part.maximum == -INFINITY ? 0.0F : part.sum * __expf(part.maximum - maximum);
}

// The whole row in all threads of all blocks. `part` is shared memory of each block.
__device__ inline PartOfRow sum_over_cluster(PartOfRow of_thread, PartOfRow* part, float* shared) {
  const auto cluster = cooperative_groups::this_cluster();
  const float block_maximum = block_max(of_thread.maximum, shared);
  const float block_total = block_sum(rescaled(of_thread, block_maximum), shared);
  if (threadIdx.x == 0) {
    *part = {block_maximum, block_total};
  }
  cluster.sync();
  PartOfRow row = {-INFINITY, 0.0F};
  for (unsigned rank = 0; rank < cluster.num_blocks(); ++rank) {
    row.maximum = fmaxf(row.maximum, cluster.map_shared_rank(part, rank)->maximum);
  }
  for (unsigned rank = 0; rank < cluster.num_blocks(); ++rank) {
    row.sum += rescaled(*cluster.map_shared_rank(part, rank), row.maximum);
  }
  cluster.sync();  // nobody leaves while its part may be read
  return row;
}

// (softmax - one-hot of the target) * scale. Few instructions an element: with two exponentials each they, not memory, set the time.
template <class T, int Width>
__device__ inline void write_gradient(T* values, const T* kept, std::int64_t num_kept, std::int64_t count,
                                      float log_sum, std::int64_t target, float scale) {
  const float log2_sum = log_sum * kLog2E;
#pragma unroll 4
  for (std::int64_t i = threadIdx.x * Width; i < count; i += kThreads * Width) {
    float x[Width] = {};
    if (scale != 0.0F) {
      load(i < num_kept ? kept + i : values + i, x);
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        x[k] = exp2_fast(fmaf(x[k], kLog2E, -log2_sum)) * scale;
      }
      if (target >= i && target < i + Width) {
#pragma unroll
        for (int k = 0; k < Width; ++k) {
          x[k] -= i + k == target ? scale : 0.0F;
        }
      }
    }
    store(values + i, x);
  }
}

// A row is cut over the blocks of a cluster. Each keeps its slice in shared memory, the first `num_kept` elements of it
// (a multiple of Width), while its maximum and sum are found, and makes the gradient from there.
template <class T, int Width>
__global__ void __launch_bounds__(kThreads)
    forward_backward_kernel(float* loss, T* logits, const std::int32_t* targets, const float* weight,
                            const float* dloss, std::int64_t V, std::int64_t slice, std::int64_t num_kept) {
  extern __shared__ __align__(16) std::byte shared_bytes[];
  __shared__ float shared[32];
  __shared__ PartOfRow part;
  T* const kept = reinterpret_cast<T*>(shared_bytes);
  const auto cluster = cooperative_groups::this_cluster();
  const std::int64_t row = blockIdx.x / cluster.num_blocks();
  const std::int64_t first = static_cast<std::int64_t>(cluster.block_rank()) * slice;
  const std::int64_t count = min(slice, V - first);  // negative: nothing of the row
  T* const values = logits + row * V + first;
  const float scale = dloss[row];
  const bool is_counted = weight[row] != 0.0F;
  PartOfRow of_thread = {-INFINITY, 0.0F};
  if (is_counted || scale != 0.0F) {
    of_thread = keep_and_sum<T, Width>(kept, num_kept, values, count);
  }
  const PartOfRow whole = sum_over_cluster(of_thread, &part, shared);
  const float log_of_sum = logf(whole.sum);
  const std::int64_t target = targets[row] - first;
  if (threadIdx.x == 0) {
    if (!is_counted) {
      if (first == 0) {
        loss[row] = 0.0F;
      }
    } else if (target >= 0 && target < count) {
      // Not lse - logit: of a confident prediction that would leave nothing but rounding.
      loss[row] = whole.maximum - to_float(target < num_kept ? kept[target] : values[target]) + log_of_sum;
    }
  }
  __syncthreads();  // the target's logit is read before its gradient takes its place
  write_gradient<T, Width>(values, kept, num_kept, count, whole.maximum + log_of_sum, target, scale);
}

// One warp per row: the larger value wins, on ties the lower id.
template <class T>
__global__ void argmax_kernel(std::int32_t* predicted, const T* logits, std::int64_t N, std::int64_t V) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
  if (row >= N) {
    return;
  }
  float best = -INFINITY;
  int best_id = static_cast<int>(threadIdx.x) % 32 < V ? static_cast<int>(threadIdx.x) % 32 : 0;
  for (std::int64_t i = threadIdx.x % 32; i < V; i += 32) {
    const float x = to_float(logits[row * V + i]);
    if (x > best) {
      best = x;
      best_id = static_cast<int>(i);
    }
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    const float other = __shfl_xor_sync(0xffffffffU, best, offset);
    const int other_id = __shfl_xor_sync(0xffffffffU, best_id, offset);
    if (other > best || (other == best && other_id < best_id)) {
      best = other;
      best_id = other_id;
    }
  }
  if (threadIdx.x % 32 == 0) {
    predicted[row] = best_id;
  }
}

}  // namespace

void cross_entropy_forward(const OpContext& ctx, TensorView loss_N, TensorView lse_N,
                           ConstTensorView logits_NV, ConstTensorView targets_N, ConstTensorView weight_N) {
  const std::int64_t V = logits_NV.dim(1);
  if (logits_NV.dim(0) == 0) {
    return;
  }
  for_dtype(logits_NV.dtype(), [&](auto element) {
    using T = decltype(element);
    for_width<T>(V, [&](auto width) {
      forward_kernel<T, width><<<grid_of(logits_NV.dim(0), 1), kThreads, 0, stream_of(ctx)>>>(
          pointer<float>(loss_N), pointer<float>(lse_N), pointer<T>(logits_NV),
          pointer<std::int32_t>(targets_N), pointer<float>(weight_N), V);
    });
  });
  ctx.device->check_launch("cross_entropy_forward");
}

void cross_entropy_backward(const OpContext& ctx, TensorView dlogits_NV, ConstTensorView logits_NV,
                            ConstTensorView lse_N, ConstTensorView targets_N, ConstTensorView dloss_N) {
  const std::int64_t V = logits_NV.dim(1);
  if (logits_NV.num_elements() == 0) {
    return;
  }
  for_dtype(logits_NV.dtype(), [&](auto element) {
    using T = decltype(element);
    for_width<T>(V, [&](auto width) {
      const dim3 grid(grid_of(logits_NV.dim(0), 1), grid_of(V, kThreads * width));
      backward_kernel<T, width><<<grid, kThreads, 0, stream_of(ctx)>>>(
          pointer<T>(dlogits_NV), pointer<T>(logits_NV), pointer<float>(lse_N),
          pointer<std::int32_t>(targets_N), pointer<float>(dloss_N), V);
    });
  });
  ctx.device->check_launch("cross_entropy_backward");
}

void cross_entropy_forward_backward(const OpContext& ctx, TensorView loss_N, TensorView logits_NV,
                                    ConstTensorView targets_N, ConstTensorView weight_N,
                                    ConstTensorView dloss_N) {
  const std::int64_t N = logits_NV.dim(0);
  const std::int64_t V = logits_NV.dim(1);
  if (N == 0) {
    return;
  }
  for_dtype(logits_NV.dtype(), [&](auto element) {
    using T = decltype(element);
    const auto kept_max = static_cast<std::int64_t>(kKeptBytes / sizeof(T));
    std::int64_t blocks = 1;  // per row
    while (blocks < kClusterMax && blocks * kept_max < V) {
      blocks *= 2;
    }
    for_width<T>(V, [&](auto width) {
      const std::int64_t slice = (V + blocks * width - 1) / (blocks * width) * width;
      const std::int64_t num_kept = std::min(slice, kept_max);
      const auto kernel = &forward_backward_kernel<T, width>;
      const auto shared_bytes = static_cast<std::size_t>(num_kept) * sizeof(T);
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kKeptBytes);
      cudaLaunchAttribute cluster{};
      cluster.id = cudaLaunchAttributeClusterDimension;
      cluster.val.clusterDim = {static_cast<unsigned>(blocks), 1, 1};
      cudaLaunchConfig_t config{};
      config.gridDim = grid_of(N * blocks, 1);
      config.blockDim = kThreads;
      config.dynamicSmemBytes = shared_bytes;
      config.stream = stream_of(ctx);
      config.attrs = &cluster;
      config.numAttrs = 1;
      cudaLaunchKernelEx(&config, kernel, pointer<float>(loss_N), pointer<T>(logits_NV),
                         pointer<std::int32_t>(targets_N), pointer<float>(weight_N), pointer<float>(dloss_N),
                         V, slice, num_kept);
    });
  });
  ctx.device->check_launch("cross_entropy_forward_backward");
}

void argmax_rows(const OpContext& ctx, TensorView predicted_N, ConstTensorView logits_NV) {
  const std::int64_t N = logits_NV.dim(0);
  if (N == 0) {
    return;
  }
  for_dtype(logits_NV.dtype(), [&](auto element) {
    using T = decltype(element);
    argmax_kernel<T><<<grid_of(N, kThreads / 32), kThreads, 0, stream_of(ctx)>>>(
        pointer<std::int32_t>(predicted_N), pointer<T>(logits_NV), N, logits_NV.dim(1));
  });
  ctx.device->check_launch("argmax_rows");
}

}  // namespace cairn::ops::cuda
