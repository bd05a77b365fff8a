#include "ops/embedding_backends.h"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void gather_kernel(T* out, const float* table, const std::int32_t* ids, std::int64_t D,
                              std::int64_t V) {
  const std::int64_t row = blockIdx.x;
  const std::int64_t id = ids[row];
  if (id < 0 || id >= V) {
    __trap();  // the data plane has checked them
  }
  for (std::int64_t d = threadIdx.x; d < D; d += kThreads) {
    out[row * D + d] = from_float<T>(table[id * D + d]);
  }
}

// One block per row; the block of an id's first row adds all rows of that id in order, others end.
template <class T>
__global__ void scatter_kernel(float* dtable, const T* dout, const std::int32_t* ids, std::int64_t N,
                               std::int64_t D) {
  __shared__ std::uint32_t matches[kThreads / 32];  // a bit per thread
  const std::int64_t row = blockIdx.x;
  const std::int32_t id = ids[row];
  bool is_earlier = false;
  for (std::int64_t other = threadIdx.x; other < row; other += kThreads) {
    is_earlier = is_earlier || ids[other] == id;
  }
  if (__syncthreads_or(is_earlier ? 1 : 0) != 0) {
    return;
  }
  for (std::int64_t begin = row; begin < N; begin += kThreads) {
    const std::int64_t other = begin + threadIdx.x;
    const bool is_match = other < N && ids[other] == id;
    const std::uint32_t in_warp = __ballot_sync(0xffffffffU, is_match);
    if (threadIdx.x % 32 == 0) {
      matches[threadIdx.x / 32] = in_warp;
    }
    if (__syncthreads_or(is_match ? 1 : 0) != 0) {
      for (int warp = 0; warp < kThreads / 32; ++warp) {
        for (std::uint32_t rest = matches[warp]; rest != 0; rest &= rest - 1) {
          const T* const from = dout + (begin + warp * 32 + __ffs(static_cast<int>(rest)) - 1) * D;
          for (std::int64_t d = threadIdx.x; d < D; d += kThreads) {
            dtable[id * D + d] += to_float(from[d]);
          }
        }
      }
    }
    __syncthreads();
  }
}

}  // namespace

void embedding_forward(const OpContext& ctx, TensorView out_ND, ConstTensorView table_VD,
                       ConstTensorView ids_N) {
  if (out_ND.num_elements() == 0) {
    return;
  }
  for_dtype(out_ND.dtype(), [&](auto element) {
    using T = decltype(element);
    gather_kernel<T><<<grid_of(out_ND.dim(0), 1), kThreads, 0, stream_of(ctx)>>>(
        pointer<T>(out_ND), pointer<float>(table_VD), pointer<std::int32_t>(ids_N), out_ND.dim(1),
        table_VD.dim(0));
  });
  ctx.device->check_launch("embedding_forward");
}

void embedding_backward(const OpContext& ctx, TensorView dtable_VD, ConstTensorView dout_ND,
                        ConstTensorView ids_N) {
  if (dout_ND.num_elements() == 0) {
    return;
  }
  for_dtype(dout_ND.dtype(), [&](auto element) {
    using T = decltype(element);
    scatter_kernel<T><<<grid_of(dout_ND.dim(0), 1), kThreads, 0, stream_of(ctx)>>>(
        pointer<float>(dtable_VD), pointer<T>(dout_ND), pointer<std::int32_t>(ids_N), dout_ND.dim(0),
        dout_ND.dim(1));
  });
  ctx.device->check_launch("embedding_backward");
}

}  // namespace cairn::ops::cuda
