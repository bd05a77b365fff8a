// Attention on tensor cores for bfloat16, head sizes 64 and 128, sequences of whole tiles: Dao 2023, arXiv:2307.08691.
// Backward runs twice over the tiles, once per key tile and once per query tile, instead of adding query gradients
// with atomics: two more products of seven, and the same bits in every run.
#include <cstdint>

#include "ops/attention_backends.h"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

using Half = __nv_bfloat16;

constexpr int kThreads = 128;     // 4 warps of 16 rows each
constexpr int kTileRows = 64;     // rows that a block owns
constexpr int kForwardKeys = 64;  // keys of one step of the forward pass
constexpr int kSteps = 32;        // rows of one step of the backward passes

struct Operands {
  const Half* q;
  const Half* k;
  const Half* v;
  const Half* dout;
  const float* lse;
  const float* delta;
  const std::int32_t* first_key;  // or null
  std::int64_t T, H, G;
  float scale;
};

// A tile of rows of C channels in shared memory. The 16-byte chunks of a row are permuted by the row's number, so
// that the eight rows that ldmatrix reads at once lie in different banks.
template <int C>
__device__ inline int tile_at(int row, int channel) {
  return row * C + (((channel / 8) ^ (row & 7)) * 8) + channel % 8;
}

__device__ inline std::uint32_t shared_address(const void* data) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(data));
}

// `rows` rows from global memory, `stride` elements apart, without waiting.
template <int C, int Rows>
__device__ inline void load_tile(Half* tile, const Half* from, std::int64_t stride) {
#pragma unroll
  for (int i = 0; i < Rows * C / 8 / kThreads; ++i) {
    const int chunk = i * kThreads + static_cast<int>(threadIdx.x);
    const int row = chunk / (C / 8);
    const int channel = chunk % (C / 8) * 8;
    asm volatile(
        "cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(shared_address(tile + tile_at<C>(row, channel))),
        "l"(from + row * stride + channel));
  }
}
__device__ inline void commit() {
  asm volatile("cp.async.commit_group;\n" ::);
}
template <int Pending>
__device__ inline void wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Pending));
}

__device__ inline void load_matrices(std::uint32_t (&r)[4], const Half* at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(at)));
}
__device__ inline void load_transposed(std::uint32_t (&r)[4], const Half* at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(at)));
}

// c (16, 8) += a (16, 16) b (16, 8). Of c a lane holds row lane / 4, columns 2 (lane % 4) and the next, then the same
// eight rows below.
__device__ inline void multiply(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ inline std::uint32_t pack(float low, float high) {
  std::uint32_t packed = 0;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

__device__ inline int lane_id() {
  return static_cast<int>(threadIdx.x) % 32;
}

// Rows [row, row + 16), channels [channel, channel + 16) of a tile as the left factor.
template <int C>
__device__ inline void load_left(std::uint32_t (&a)[4], const Half* tile, int row, int channel) {
  load_matrices(a, tile + tile_at<C>(row + lane_id() % 16, channel + lane_id() / 16 * 8));
}

// scores (16 rows, Columns) += left (16, C) tile (Columns, C)^T; the left factor from `rows` on of a tile.
template <int C, int Columns>
__device__ inline void multiply_rows(float (&scores)[Columns / 8][4], const Half* left, int rows,
                                     const Half* tile) {
#pragma unroll
  for (int c = 0; c < C; c += 16) {
    std::uint32_t a[4];
    load_left<C>(a, left, rows, c);
#pragma unroll
    for (int n = 0; n < Columns; n += 16) {
      std::uint32_t b[4];
      load_matrices(b, tile + tile_at<C>(n + lane_id() / 16 * 8 + lane_id() % 8, c + lane_id() / 8 % 2 * 8));
      multiply(scores[n / 8], a, b[0], b[1]);
      multiply(scores[n / 8 + 1], a, b[2], b[3]);
    }
  }
}

// out (16, C) += weights (16, Rows) tile (Rows, C); weights as a product left them, rounded to bfloat16.
template <int C, int Rows>
__device__ inline void multiply_channels(float (&out)[C / 8][4], const float (&weights)[Rows / 8][4],
                                         const Half* tile) {
#pragma unroll
  for (int r = 0; r < Rows; r += 16) {
    const float(&low)[4] = weights[r / 8];
    const float(&high)[4] = weights[r / 8 + 1];
    const std::uint32_t a[4] = {pack(low[0], low[1]), pack(low[2], low[3]), pack(high[0], high[1]),
                                pack(high[2], high[3])};
#pragma unroll
    for (int c = 0; c < C; c += 16) {
      std::uint32_t b[4];
      load_transposed(b, tile + tile_at<C>(r + lane_id() % 16, c + lane_id() / 16 * 8));
      multiply(out[c / 8], a, b[0], b[1]);
      multiply(out[c / 8 + 1], a, b[2], b[3]);
    }
  }
}

// The two rows of a lane to global memory, times `factor` of the row.
template <int C>
__device__ inline void store_rows(Half* to, std::int64_t stride, const float (&out)[C / 8][4],
                                  float factor_low, float factor_high) {
  Half* const low = to + static_cast<std::int64_t>(lane_id() / 4) * stride + lane_id() % 4 * 2;
  Half* const high = low + 8 * stride;
#pragma unroll
  for (int c = 0; c < C / 8; ++c) {
    *reinterpret_cast<std::uint32_t*>(low + c * 8) = pack(out[c][0] * factor_low, out[c][1] * factor_low);
    *reinterpret_cast<std::uint32_t*>(high + c * 8) = pack(out[c][2] * factor_high, out[c][3] * factor_high);
  }
}

__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffU, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffU, x, 2));
}
__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffffU, x, 1);
  return x + __shfl_xor_sync(0xffffffffU, x, 2);
}

// The least earliest key of `count` query rows from `row` on; the same in all threads of a warp.
__device__ inline int least_first_key(const std::int32_t* first_key, std::int64_t row, int count) {
  int least = 0;
  if (first_key != nullptr) {
    least = first_key[row + lane_id() % count];
    for (int i = lane_id() + 32; i < count; i += 32) {
      least = min(least, first_key[row + i]);
    }
    for (int offset = 16; offset > 0; offset /= 2) {
      least = min(least, __shfl_xor_sync(0xffffffffU, least, offset));
    }
  }
  return least;
}

// The softmax of a lane's two rows over the keys seen so far (Milakov & Gimelshein 2018, arXiv:1805.02867).
struct OnlineSoftmax {
  float scale;  // of a score, in units of log2
  int row[2];
  int first[2];  // earliest key of each row
  float maximum[2] = {-INFINITY, -INFINITY};
  float sum[2] = {};  // of this lane's columns

  // Turns scores into weights and scales what was added up before. The lane's first column is key `key`.
  template <int C>
  __device__ void take(float (&scores)[kForwardKeys / 8][4], float (&out)[C / 8][4], int key) {
    float next[2] = {maximum[0], maximum[1]};
#pragma unroll
    for (int n = 0; n < kForwardKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int s = key + n * 8 + i % 2;
        const bool is_seen = s <= row[i / 2] && s >= first[i / 2];
        scores[n][i] = is_seen ? scores[n][i] * scale : -INFINITY;
        next[i / 2] = fmaxf(next[i / 2], scores[n][i]);
      }
    }
    float keep[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      next[half] = quad_max(next[half]);
      // A row may have seen no key yet.
      const float base = next[half] == -INFINITY ? 0.0F : next[half];
      keep[half] = exp2f(maximum[half] - base);
      maximum[half] = next[half];
      next[half] = base;
      sum[half] *= keep[half];
    }
#pragma unroll
    for (int n = 0; n < kForwardKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        scores[n][i] = exp2f(scores[n][i] - next[i / 2]);
        sum[i / 2] += scores[n][i];
      }
    }
#pragma unroll
    for (int c = 0; c < C / 8; ++c) {
      out[c][0] *= keep[0];
      out[c][1] *= keep[0];
      out[c][2] *= keep[1];
      out[c][3] *= keep[1];
    }
  }
};

template <int C>
__global__ void __launch_bounds__(kThreads) forward_kernel(Operands in, Half* o, float* lse) {
  extern __shared__ Half shared[];
  Half* const q_tile = shared;
  Half* const k_tile = q_tile + kTileRows * C;
  Half* const v_tile = k_tile + kForwardKeys * C;
  // Blocks with many keys start first.
  const int t0 = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kTileRows;
  const std::int64_t h = blockIdx.y;
  const std::int64_t b = blockIdx.z;
  const std::int64_t query_stride = in.H * C;
  const std::int64_t key_stride = in.G * C;
  const Half* const keys = in.k + b * in.T * key_stride + h / (in.H / in.G) * C;
  const Half* const values = in.v + b * in.T * key_stride + h / (in.H / in.G) * C;
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  const int row_low = t0 + warp_row + lane_id() / 4;
  const std::int64_t at = (b * in.T + t0) * query_stride + h * C;

  const int begin = least_first_key(in.first_key, b * in.T + t0, kTileRows) / kForwardKeys * kForwardKeys;
  const int end = t0 + kTileRows;
  load_tile<C, kTileRows>(q_tile, in.q + at, query_stride);
  load_tile<C, kForwardKeys>(k_tile, keys + begin * key_stride, key_stride);
  commit();

  float out[C / 8][4] = {};
  OnlineSoftmax softmax{in.scale * kLog2E, {row_low, row_low + 8}, {0, 0}};
  if (in.first_key != nullptr) {
    softmax.first[0] = in.first_key[b * in.T + row_low];
    softmax.first[1] = in.first_key[b * in.T + row_low + 8];
  }
  for (int s0 = begin; s0 < end; s0 += kForwardKeys) {
    load_tile<C, kForwardKeys>(v_tile, values + s0 * key_stride, key_stride);
    commit();
    wait<1>();
    __syncthreads();
    float scores[kForwardKeys / 8][4] = {};
    multiply_rows<C, kForwardKeys>(scores, q_tile, warp_row, k_tile);
    __syncthreads();
    if (s0 + kForwardKeys < end) {
      load_tile<C, kForwardKeys>(k_tile, keys + (s0 + kForwardKeys) * key_stride, key_stride);
    }
    commit();
    softmax.take<C>(scores, out, s0 + lane_id() % 4 * 2);
    wait<1>();
    __syncthreads();
    multiply_channels<C, kForwardKeys>(out, scores, v_tile);
    __syncthreads();
  }
  wait<0>();
  const float sum[2] = {quad_sum(softmax.sum[0]), quad_sum(softmax.sum[1])};
  store_rows<C>(o + at + warp_row * query_stride, query_stride, out, 1.0F / sum[0], 1.0F / sum[1]);
  if (lane_id() % 4 == 0) {
    float* const row_lse = lse + (b * in.H + h) * in.T;
    row_lse[row_low] = softmax.maximum[0] / kLog2E + logf(sum[0]);
    row_lse[row_low + 8] = softmax.maximum[1] / kLog2E + logf(sum[1]);
  }
}

// One block per query tile and head: dq = sum over key tiles of dS k, dS = P (dP - delta).
template <int C>
__global__ void __launch_bounds__(kThreads) query_kernel(Operands in, Half* dq) {
  extern __shared__ Half shared[];
  Half* const q_tile = shared;
  Half* const do_tile = q_tile + kTileRows * C;
  Half* const key_tiles = do_tile + kTileRows * C;  // two stages of keys, then values
  const int t0 = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kTileRows;
  const std::int64_t h = blockIdx.y;
  const std::int64_t b = blockIdx.z;
  const std::int64_t query_stride = in.H * C;
  const std::int64_t key_stride = in.G * C;
  const Half* const keys = in.k + b * in.T * key_stride + h / (in.H / in.G) * C;
  const Half* const values = in.v + b * in.T * key_stride + h / (in.H / in.G) * C;
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  const int row_low = t0 + warp_row + lane_id() / 4;
  const std::int64_t at = (b * in.T + t0) * query_stride + h * C;
  const auto load_step = [&](int s0) {
    Half* const tile = key_tiles + s0 / kSteps % 2 * 2 * kSteps * C;
    load_tile<C, kSteps>(tile, keys + s0 * key_stride, key_stride);
    load_tile<C, kSteps>(tile + kSteps * C, values + s0 * key_stride, key_stride);
  };

  const int begin = least_first_key(in.first_key, b * in.T + t0, kTileRows) / kSteps * kSteps;
  const int end = t0 + kTileRows;
  load_tile<C, kTileRows>(q_tile, in.q + at, query_stride);
  load_tile<C, kTileRows>(do_tile, in.dout + at, query_stride);
  load_step(begin);
  commit();
  int first[2] = {0, 0};
  float row_lse[2];
  float row_delta[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const std::int64_t statistic = (b * in.H + h) * in.T + row_low + half * 8;
    row_lse[half] = in.lse[statistic] * kLog2E;
    row_delta[half] = in.delta[statistic];
    if (in.first_key != nullptr) {
      first[half] = in.first_key[b * in.T + row_low + half * 8];
    }
  }
  float out[C / 8][4] = {};
  const float scale = in.scale * kLog2E;
  for (int s0 = begin; s0 < end; s0 += kSteps) {
    if (s0 + kSteps < end) {
      load_step(s0 + kSteps);
    }
    commit();
    wait<1>();
    __syncthreads();
    const Half* const k_tile = key_tiles + s0 / kSteps % 2 * 2 * kSteps * C;
    float scores[kSteps / 8][4] = {};
    float gradients[kSteps / 8][4] = {};
    multiply_rows<C, kSteps>(scores, q_tile, warp_row, k_tile);
    multiply_rows<C, kSteps>(gradients, do_tile, warp_row, k_tile + kSteps * C);
#pragma unroll
    for (int n = 0; n < kSteps / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int s = s0 + n * 8 + lane_id() % 4 * 2 + i % 2;
        const bool is_seen = s <= row_low + i / 2 * 8 && s >= first[i / 2];
        const float p = is_seen ? exp2f(scores[n][i] * scale - row_lse[i / 2]) : 0.0F;
        scores[n][i] = p * (gradients[n][i] - row_delta[i / 2]);
      }
    }
    multiply_channels<C, kSteps>(out, scores, k_tile);
    __syncthreads();
  }
  store_rows<C>(dq + at + warp_row * query_stride, query_stride, out, in.scale, in.scale);
}

// Of the query rows of one step.
struct QueryStatistics {
  float lse[kSteps];  // times log2(e)
  float delta[kSteps];
  int first[kSteps];
};

// Scores of keys (rows) against queries (columns) to weights P, products do v to dS = P (dP - delta).
__device__ inline void weigh_queries(float (&scores)[kSteps / 8][4], float (&gradients)[kSteps / 8][4],
                                     const QueryStatistics& queries, float scale, int key_low, int t0) {
#pragma unroll
  for (int n = 0; n < kSteps / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = n * 8 + lane_id() % 4 * 2 + i % 2;
      const int s = key_low + i / 2 * 8;
      const bool is_seen = s <= t0 + row && s >= queries.first[row];
      scores[n][i] = is_seen ? exp2f(scores[n][i] * scale - queries.lse[row]) : 0.0F;
      gradients[n][i] = scores[n][i] * (gradients[n][i] - queries.delta[row]);
    }
  }
}

// One block per key tile and key/value head: dv = sum of P^T do, dk = sum of dS^T q, over the heads of the group and
// then over query tiles.
template <int C>
__global__ void __launch_bounds__(kThreads) key_kernel(Operands in, Half* dk, Half* dv) {
  extern __shared__ Half shared[];
  __shared__ QueryStatistics statistics[2];
  Half* const k_tile = shared;
  Half* const v_tile = k_tile + kTileRows * C;
  Half* const query_tiles = v_tile + kTileRows * C;  // two stages of queries, then output gradients
  const int s0 = static_cast<int>(blockIdx.x) * kTileRows;
  const std::int64_t g = blockIdx.y;
  const std::int64_t b = blockIdx.z;
  const std::int64_t query_stride = in.H * C;
  const std::int64_t key_stride = in.G * C;
  const int group = static_cast<int>(in.H / in.G);
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  const int key_low = s0 + warp_row + lane_id() / 4;
  const std::int64_t at = (b * in.T + s0) * key_stride + g * C;
  const int steps_per_head = (static_cast<int>(in.T) - s0) / kSteps;
  const int num_steps = steps_per_head * group;
  const auto load_step = [&](int step) {
    const std::int64_t h = g * group + step / steps_per_head;
    const int t0 = s0 + step % steps_per_head * kSteps;
    Half* const tile = query_tiles + step % 2 * 2 * kSteps * C;
    const std::int64_t from = (b * in.T + t0) * query_stride + h * C;
    load_tile<C, kSteps>(tile, in.q + from, query_stride);
    load_tile<C, kSteps>(tile + kSteps * C, in.dout + from, query_stride);
    if (threadIdx.x < kSteps) {
      const std::int64_t t = t0 + static_cast<int>(threadIdx.x);
      statistics[step % 2].lse[threadIdx.x] = in.lse[(b * in.H + h) * in.T + t] * kLog2E;
      statistics[step % 2].delta[threadIdx.x] = in.delta[(b * in.H + h) * in.T + t];
      statistics[step % 2].first[threadIdx.x] = in.first_key == nullptr ? 0 : in.first_key[b * in.T + t];
    }
  };

  load_tile<C, kTileRows>(k_tile, in.k + at, key_stride);
  load_tile<C, kTileRows>(v_tile, in.v + at, key_stride);
  load_step(0);
  commit();
  float out_k[C / 8][4] = {};
  float out_v[C / 8][4] = {};
  for (int step = 0; step < num_steps; ++step) {
    if (step + 1 < num_steps) {
      load_step(step + 1);
    }
    commit();
    wait<1>();
    __syncthreads();
    const int t0 = s0 + step % steps_per_head * kSteps;
    // Rows of other documents alone: nothing to add. All warps agree.
    if (least_first_key(in.first_key, b * in.T + t0, kSteps) < s0 + kTileRows) {
      const Half* const q_tile = query_tiles + step % 2 * 2 * kSteps * C;
      const Half* const do_tile = q_tile + kSteps * C;
      float scores[kSteps / 8][4] = {};
      float gradients[kSteps / 8][4] = {};
      multiply_rows<C, kSteps>(scores, k_tile, warp_row, q_tile);
      multiply_rows<C, kSteps>(gradients, v_tile, warp_row, do_tile);
      weigh_queries(scores, gradients, statistics[step % 2], in.scale * kLog2E, key_low, t0);
      multiply_channels<C, kSteps>(out_v, scores, do_tile);
      multiply_channels<C, kSteps>(out_k, gradients, q_tile);
    }
    __syncthreads();
  }
  store_rows<C>(dv + at + warp_row * key_stride, key_stride, out_v, 1.0F, 1.0F);
  store_rows<C>(dk + at + warp_row * key_stride, key_stride, out_k, in.scale, in.scale);
}

template <class Kernel>
void allow_shared(Kernel kernel, int bytes) {
  const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  CHECK(error == cudaSuccess, "attention: the GPU refuses the shared memory of a kernel");
}

template <int C>
void launch_forward(const OpContext& ctx, const AttentionDims& dims, const Operands& in, Half* o,
                    float* lse) {
  constexpr int kBytes = (kTileRows + 2 * kForwardKeys) * C * 2;
  allow_shared(forward_kernel<C>, kBytes);
  const dim3 grid(static_cast<unsigned>(dims.T / kTileRows), static_cast<unsigned>(dims.H),
                  static_cast<unsigned>(dims.B));
  forward_kernel<C><<<grid, kThreads, kBytes, stream_of(ctx)>>>(in, o, lse);
}

template <int C>
void launch_backward(const OpContext& ctx, const AttentionDims& dims, const Operands& in,
                     const AttentionBackward& args) {
  constexpr int kBytes = (2 * kTileRows + 4 * kSteps) * C * 2;
  allow_shared(query_kernel<C>, kBytes);
  allow_shared(key_kernel<C>, kBytes);
  const auto tiles = static_cast<unsigned>(dims.T / kTileRows);
  const dim3 query_grid(tiles, static_cast<unsigned>(dims.H), static_cast<unsigned>(dims.B));
  const dim3 key_grid(tiles, static_cast<unsigned>(dims.G), static_cast<unsigned>(dims.B));
  query_kernel<C><<<query_grid, kThreads, kBytes, stream_of(ctx)>>>(in, pointer<Half>(args.dq_BTHC));
  key_kernel<C><<<key_grid, kThreads, kBytes, stream_of(ctx)>>>(in, pointer<Half>(args.dk_BSGC),
                                                                pointer<Half>(args.dv_BSGC));
}

Operands operands(const AttentionDims& dims, const ConstTensorView& q, const ConstTensorView& k,
                  const ConstTensorView& v, const ConstTensorView& first_key) {
  Operands in{};
  in.q = pointer<Half>(q);
  in.k = pointer<Half>(k);
  in.v = pointer<Half>(v);
  in.first_key = pointer<std::int32_t>(first_key);
  in.T = dims.T;
  in.H = dims.H;
  in.G = dims.G;
  in.scale = 1.0F / std::sqrt(static_cast<float>(dims.C));
  return in;
}

}  // namespace

bool attention_mma_takes(const AttentionDims& dims, DType dtype) {
  return dtype == DType::kBFloat16 && (dims.C == 64 || dims.C == 128) && dims.query_offset == 0 &&
         dims.S == dims.T && dims.T % kTileRows == 0;
}

void attention_mma_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC,
                           TensorView lse_BHT, ConstTensorView q_BTHC, ConstTensorView k_BSGC,
                           ConstTensorView v_BSGC, ConstTensorView first_key_BT) {
  const Operands in = operands(dims, q_BTHC, k_BSGC, v_BSGC, first_key_BT);
  if (dims.C == 64) {
    launch_forward<64>(ctx, dims, in, pointer<Half>(o_BTHC), pointer<float>(lse_BHT));
  } else {
    launch_forward<128>(ctx, dims, in, pointer<Half>(o_BTHC), pointer<float>(lse_BHT));
  }
}

void attention_mma_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args) {
  Operands in = operands(dims, args.q_BTHC, args.k_BSGC, args.v_BSGC, args.mask.first_key_BT);
  in.dout = pointer<Half>(args.do_BTHC);
  in.lse = pointer<float>(args.lse_BHT);
  in.delta = pointer<float>(args.delta_BHT);
  if (dims.C == 64) {
    launch_backward<64>(ctx, dims, in, args);
  } else {
    launch_backward<128>(ctx, dims, in, args);
  }
}

}  // namespace cairn::ops::cuda
