#include <bit>

#include <cub/device/device_radix_sort.cuh>

#include "ops/embedding_backends.h"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kChunk =
    32;  // sorted rows of a block, more where the carried sums would take too much
constexpr std::int64_t kCarriedBytesMax = std::int64_t{16} << 20;
constexpr int kAhead = 8;  // rows of a block that are read at once

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

// Rows in order of their ids, equal ids in order of rows.
struct SortedRows {
  const std::int32_t* ids;
  const std::int32_t* rows;
  std::int64_t N;
  std::int64_t chunk = kChunk;
};

__global__ void number_rows_kernel(std::int32_t* rows, std::int64_t N) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (row < N) {
    rows[row] = static_cast<std::int32_t>(row);
  }
}

// Block (c, p) adds the sorted rows [c * chunk, (c + 1) * chunk) in order, id by id, part p of their columns. What belongs to an id
// that began in an earlier chunk goes to carried_CD[c], for add_carried_kernel.
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_sorted_kernel(float* dtable, float* carried_CD, const T* dout, SortedRows sorted, std::int64_t D) {
  const std::int64_t d = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * sorted.chunk;
  const std::int64_t end = min(begin + sorted.chunk, sorted.N);
  if (d >= D) {
    return;
  }
  bool is_carried = begin > 0 && sorted.ids[begin - 1] == sorted.ids[begin];
  float sum = 0.0F;
  for (std::int64_t first = begin; first < end; first += kAhead) {
    float values[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      values[i] = first + i < end ? to_float(dout[sorted.rows[first + i] * D + d]) : 0.0F;
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const std::int64_t at = first + i;
      if (at >= end) {
        break;
      }
      sum += values[i];
      const std::int32_t id = sorted.ids[at];
      if (at + 1 == end || sorted.ids[at + 1] != id) {
        if (is_carried) {
          carried_CD[static_cast<std::int64_t>(blockIdx.x) * D + d] = sum;
        } else {
          dtable[id * D + d] += sum;
        }
        is_carried = false;
        sum = 0.0F;
      }
    }
  }
}

// Block (c, p): where an id leaves chunk c that began in it, the carried sums of the chunks behind it, in order.
__global__ void __launch_bounds__(kThreads)
    add_carried_kernel(float* dtable, const float* carried_CD, SortedRows sorted, std::int64_t D) {
  const std::int64_t d = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * sorted.chunk;
  const std::int64_t end = begin + sorted.chunk;
  if (d >= D || end >= sorted.N || sorted.ids[end - 1] != sorted.ids[end]) {
    return;
  }
  const std::int32_t id = sorted.ids[end];
  if (begin > 0 && sorted.ids[begin - 1] == id) {
    return;  // it began before
  }
  float sum = 0.0F;
  for (std::int64_t next = end; next < sorted.N && sorted.ids[next] == id; next += sorted.chunk) {
    sum += carried_CD[next / sorted.chunk * D + d];
  }
  dtable[id * D + d] += sum;
}

// Bytes of the workspace, one piece after the other.
class Pieces {
 public:
  explicit Pieces(const TensorView& workspace) : at_(workspace.bytes()), end_(at_ + workspace.num_bytes()) {}
  template <class Element>
  Element* take(std::int64_t count) {
    constexpr std::int64_t kAlignment = 256;
    std::byte* const taken = at_;
    at_ += (count * static_cast<std::int64_t>(sizeof(Element)) + kAlignment - 1) / kAlignment * kAlignment;
    CHECK(at_ <= end_, "embedding_backward: too many rows for the workspace");
    return reinterpret_cast<Element*>(taken);
  }

 private:
  std::byte* at_;
  std::byte* end_;
};

SortedRows sort_rows(const OpContext& ctx, Pieces& pieces, const std::int32_t* ids, std::int64_t N,
                     std::int64_t V) {
  auto* const sorted_ids = pieces.take<std::int32_t>(N);
  auto* const rows = pieces.take<std::int32_t>(N);
  auto* const sorted_rows = pieces.take<std::int32_t>(N);
  number_rows_kernel<<<grid_of(N, kThreads), kThreads, 0, stream_of(ctx)>>>(rows, N);
  const int num_bits = std::bit_width(static_cast<std::uint64_t>(V));
  const auto sort = [&](void* scratch, std::size_t& scratch_bytes) {
    const cudaError_t error =
        cub::DeviceRadixSort::SortPairs(scratch, scratch_bytes, ids, sorted_ids, rows, sorted_rows,
                                        static_cast<int>(N), 0, num_bits, stream_of(ctx));
    CHECK(error == cudaSuccess, cudaGetErrorString(error));
  };
  std::size_t scratch_bytes = 0;
  sort(nullptr, scratch_bytes);
  sort(pieces.take<std::byte>(static_cast<std::int64_t>(scratch_bytes)), scratch_bytes);
  return {sorted_ids, sorted_rows, N};
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
  const std::int64_t N = dout_ND.dim(0);
  const std::int64_t D = dout_ND.dim(1);
  Pieces pieces(ctx.workspace);
  SortedRows sorted = sort_rows(ctx, pieces, pointer<std::int32_t>(ids_N), N, dtable_VD.dim(0));
  while (N / sorted.chunk * D * std::int64_t{sizeof(float)} > kCarriedBytesMax) {
    sorted.chunk *= 2;
  }
  const dim3 grid(grid_of(N, sorted.chunk), grid_of(D, kThreads));
  auto* const carried_CD = pieces.take<float>(static_cast<std::int64_t>(grid.x) * D);
  for_dtype(dout_ND.dtype(), [&](auto element) {
    using T = decltype(element);
    add_sorted_kernel<<<grid, kThreads, 0, stream_of(ctx)>>>(pointer<float>(dtable_VD), carried_CD,
                                                             pointer<T>(dout_ND), sorted, D);
  });
  add_carried_kernel<<<grid, kThreads, 0, stream_of(ctx)>>>(pointer<float>(dtable_VD), carried_CD, sorted, D);
  ctx.device->check_launch("embedding_backward");
}

}  // namespace cairn::ops::cuda
