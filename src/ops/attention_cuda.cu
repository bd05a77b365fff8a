// The plain attention of the GPU: any shape, float32 arithmetic on CUDA cores. It judges the kernel on tensor cores
// (attention_mma_cuda.cu) and runs what that one does not take.
#include <utility>

#include "ops/attention_backends.h"
#include "ops/attention_cudnn.h"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 128;  // one key or query row each
constexpr int kChannelParts = static_cast<int>(kAttentionChannelsMax) / kThreads;  // channels per thread

struct Rows {
  std::int64_t b, t, h, g;
};

// Block x is a query row of one head.
__device__ Rows query_rows(const AttentionDims& dims) {
  const std::int64_t row = blockIdx.x;
  const std::int64_t h = row % dims.H;
  const std::int64_t bt = row / dims.H;
  return {bt / dims.T, bt % dims.T, h, h / (dims.H / dims.G)};
}

template <class T>
__device__ float dot(const float* a, const T* b, std::int64_t C) {
  float sum = 0.0F;
  for (std::int64_t c = 0; c < C; ++c) {
    sum += a[c] * to_float(b[c]);
  }
  return sum;
}

template <class T>
__device__ void stage(float* to, const T* from, std::int64_t C) {
  for (std::int64_t c = threadIdx.x; c < C; c += kThreads) {
    to[c] = to_float(from[c]);
  }
}

template <class T>
__global__ void forward_kernel(AttentionDims dims, T* o, float* lse, const T* q, const T* k, const T* v,
                               const std::int32_t* first_key, float scale) {
  __shared__ float query[kAttentionChannelsMax];
  __shared__ float weights[kThreads];
  __shared__ float shared[32];
  const Rows rows = query_rows(dims);
  const std::int64_t C = dims.C;
  stage(query, q + static_cast<std::int64_t>(blockIdx.x) * C, C);
  __syncthreads();
  const std::int64_t first = first_key == nullptr ? 0 : first_key[rows.b * dims.T + rows.t];
  const std::int64_t end = dims.query_offset + rows.t + 1;
  float maximum = -INFINITY;
  float sum = 0.0F;
  float out[kChannelParts] = {};
  for (std::int64_t begin = first; begin < end; begin += kThreads) {
    const std::int64_t s = begin + threadIdx.x;
    const float score =
        s < end ? dot(query, k + ((rows.b * dims.S + s) * dims.G + rows.g) * C, C) * scale : -INFINITY;
    const float next = fmaxf(maximum, block_max(score, shared));
    const float weight = expf(score - next);
    const float keep = expf(maximum - next);
    weights[threadIdx.x] = weight;
    sum = sum * keep + block_sum(weight, shared);
    maximum = next;
    const std::int64_t count = min(static_cast<std::int64_t>(kThreads), end - begin);
    for (int part = 0; part < kChannelParts; ++part) {
      const std::int64_t c = threadIdx.x + part * kThreads;
      out[part] *= keep;
      for (std::int64_t j = 0; c < C && j < count; ++j) {
        out[part] += weights[j] * to_float(v[((rows.b * dims.S + begin + j) * dims.G + rows.g) * C + c]);
      }
    }
    __syncthreads();
  }
  for (int part = 0; part < kChannelParts; ++part) {
    const std::int64_t c = threadIdx.x + part * kThreads;
    if (c < C) {
      o[static_cast<std::int64_t>(blockIdx.x) * C + c] = from_float<T>(out[part] / sum);
    }
  }
  if (threadIdx.x == 0) {
    lse[(rows.b * dims.H + rows.h) * dims.T + rows.t] = maximum + logf(sum);
  }
}

// One warp per query row of one head: delta = sum_C(do * o).
template <class T>
__global__ void delta_kernel(AttentionDims dims, float* delta, const T* dout, const T* o) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
  if (row >= dims.B * dims.T * dims.H) {
    return;
  }
  float sum = 0.0F;
  for (std::int64_t c = threadIdx.x % 32; c < dims.C; c += 32) {
    sum += to_float(dout[row * dims.C + c]) * to_float(o[row * dims.C + c]);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) {
    const std::int64_t h = row % dims.H;
    const std::int64_t bt = row / dims.H;
    delta[((bt / dims.T) * dims.H + h) * dims.T + bt % dims.T] = sum;
  }
}

template <class T>
__global__ void query_gradient_kernel(AttentionDims dims, T* dq, const T* dout, const T* q, const T* k,
                                      const T* v, const float* lse, const float* delta,
                                      const std::int32_t* first_key, float scale) {
  __shared__ float query[kAttentionChannelsMax];
  __shared__ float gradient[kAttentionChannelsMax];
  __shared__ float weights[kThreads];
  const Rows rows = query_rows(dims);
  const std::int64_t C = dims.C;
  stage(query, q + static_cast<std::int64_t>(blockIdx.x) * C, C);
  stage(gradient, dout + static_cast<std::int64_t>(blockIdx.x) * C, C);
  __syncthreads();
  const std::int64_t first = first_key == nullptr ? 0 : first_key[rows.b * dims.T + rows.t];
  const std::int64_t end = rows.t + 1;
  const std::int64_t statistic = (rows.b * dims.H + rows.h) * dims.T + rows.t;
  float out[kChannelParts] = {};
  for (std::int64_t begin = first; begin < end; begin += kThreads) {
    const std::int64_t s = begin + threadIdx.x;
    float weight = 0.0F;
    if (s < end) {
      const std::int64_t at = ((rows.b * dims.S + s) * dims.G + rows.g) * C;
      const float p = expf(dot(query, k + at, C) * scale - lse[statistic]);
      weight = p * (dot(gradient, v + at, C) - delta[statistic]) * scale;
    }
    weights[threadIdx.x] = weight;
    __syncthreads();
    const std::int64_t count = min(static_cast<std::int64_t>(kThreads), end - begin);
    for (int part = 0; part < kChannelParts; ++part) {
      const std::int64_t c = threadIdx.x + part * kThreads;
      for (std::int64_t j = 0; c < C && j < count; ++j) {
        out[part] += weights[j] * to_float(k[((rows.b * dims.S + begin + j) * dims.G + rows.g) * C + c]);
      }
    }
    __syncthreads();
  }
  for (int part = 0; part < kChannelParts; ++part) {
    const std::int64_t c = threadIdx.x + part * kThreads;
    if (c < C) {
      dq[static_cast<std::int64_t>(blockIdx.x) * C + c] = from_float<T>(out[part]);
    }
  }
}

// Block x is a key row of one key/value head: sums over the query heads of its group, then over query rows.
template <class T>
__global__ void key_gradient_kernel(AttentionDims dims, T* dk, T* dv, const T* dout, const T* q, const T* k,
                                    const T* v, const float* lse, const float* delta,
                                    const std::int32_t* first_key, float scale) {
  __shared__ float key[kAttentionChannelsMax];
  __shared__ float value[kAttentionChannelsMax];
  __shared__ float weights[kThreads];
  __shared__ float key_weights[kThreads];
  const std::int64_t g = blockIdx.x % dims.G;
  const std::int64_t bs = blockIdx.x / dims.G;
  const std::int64_t b = bs / dims.S;
  const std::int64_t s = bs % dims.S;
  const std::int64_t C = dims.C;
  stage(key, k + static_cast<std::int64_t>(blockIdx.x) * C, C);
  stage(value, v + static_cast<std::int64_t>(blockIdx.x) * C, C);
  __syncthreads();
  float out_k[kChannelParts] = {};
  float out_v[kChannelParts] = {};
  const std::int64_t group = dims.H / dims.G;
  for (std::int64_t h = g * group; h < (g + 1) * group; ++h) {
    for (std::int64_t begin = s; begin < dims.T; begin += kThreads) {
      const std::int64_t t = begin + threadIdx.x;
      float p = 0.0F;
      float weight = 0.0F;
      if (t < dims.T && (first_key == nullptr || first_key[b * dims.T + t] <= s)) {
        const std::int64_t at = ((b * dims.T + t) * dims.H + h) * C;
        const std::int64_t statistic = (b * dims.H + h) * dims.T + t;
        p = expf(dot(key, q + at, C) * scale - lse[statistic]);
        weight = p * (dot(value, dout + at, C) - delta[statistic]) * scale;
      }
      weights[threadIdx.x] = p;
      key_weights[threadIdx.x] = weight;
      __syncthreads();
      const std::int64_t count = min(static_cast<std::int64_t>(kThreads), dims.T - begin);
      for (int part = 0; part < kChannelParts; ++part) {
        const std::int64_t c = threadIdx.x + part * kThreads;
        for (std::int64_t j = 0; c < C && j < count; ++j) {
          const std::int64_t at = ((b * dims.T + begin + j) * dims.H + h) * C + c;
          out_k[part] += key_weights[j] * to_float(q[at]);
          out_v[part] += weights[j] * to_float(dout[at]);
        }
      }
      __syncthreads();
    }
  }
  for (int part = 0; part < kChannelParts; ++part) {
    const std::int64_t c = threadIdx.x + part * kThreads;
    if (c < C) {
      dk[static_cast<std::int64_t>(blockIdx.x) * C + c] = from_float<T>(out_k[part]);
      dv[static_cast<std::int64_t>(blockIdx.x) * C + c] = from_float<T>(out_v[part]);
    }
  }
}

float score_scale(const AttentionDims& dims) {
  return 1.0F / std::sqrt(static_cast<float>(dims.C));
}

CudnnAttentionShape cudnn_shape(const OpContext& ctx, const AttentionDims& dims, const AttentionMask& mask) {
  return {dims, mask.documents_4E.is_null() ? 0 : mask.documents_4E.dim(1), ctx.deterministic};
}

// A mask that is known by its rows' first keys alone is for our kernels.
bool is_for_cudnn(const OpContext& ctx, const AttentionDims& dims, DType dtype, const AttentionMask& mask) {
  const bool has_form = mask.first_key_BT.is_null() || !mask.documents_4E.is_null();
  return dtype == DType::kBFloat16 && has_form &&
         cudnn_attention_prepare(ctx, cudnn_shape(ctx, dims, mask)).ok();
}

// One block: row t of a sequence starts a document where its first key is t itself. Threads own runs of rows, so that places
// follow from a sum over the threads before.
__global__ void documents_kernel(std::int32_t* table, const std::int32_t* first_key, int E,
                                 AttentionDims dims) {
  constexpr int kBlock = 1024;
  __shared__ int counts[kBlock];
  const int thread = static_cast<int>(threadIdx.x);
  const auto N = static_cast<int>(dims.B * dims.T);
  const auto T = static_cast<int>(dims.T);
  const int share = (N + kBlock - 1) / kBlock;
  const int begin = min(thread * share, N);
  const int end = min(begin + share, N);
  int count = 0;
  for (int row = begin; row < end; ++row) {
    count += first_key[row] == row % T ? 1 : 0;
  }
  counts[thread] = count;
  for (int i = thread; i < E; i += kBlock) {
    table[E + i] = N;  // unused places start behind the last row
  }
  __syncthreads();
  for (int step = 1; step < kBlock; step *= 2) {
    const int before = thread >= step ? counts[thread - step] : 0;
    __syncthreads();
    counts[thread] += before;
    __syncthreads();
  }
  int place = counts[thread] - count;
  for (int row = begin; row < end; ++row) {
    if (first_key[row] == row % T && place < E) {
      table[E + place++] = row;
    }
  }
  __syncthreads();
  const auto query_elements = static_cast<int>(dims.H * dims.C);
  const auto key_elements = static_cast<int>(dims.G * dims.C);
  for (int i = thread; i < E; i += kBlock) {
    table[i] = (i + 1 < E ? table[E + i + 1] : N) - table[E + i];
  }
  __syncthreads();
  for (int i = thread; i < E; i += kBlock) {
    const int row = table[E + i];
    table[E + i] = row * query_elements;
    table[2 * E + i] = row * key_elements;
    table[3 * E + i] = row * static_cast<int>(dims.H);
  }
}

}  // namespace

void attention_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC, TensorView lse_BHT,
                       ConstTensorView q_BTHC, ConstTensorView k_BSGC, ConstTensorView v_BSGC,
                       const AttentionMask& mask) {
  if (o_BTHC.num_elements() == 0) {
    return;
  }
  if (is_for_cudnn(ctx, dims, o_BTHC.dtype(), mask)) {
    cudnn_attention_forward(ctx, cudnn_shape(ctx, dims, mask), o_BTHC, lse_BHT, q_BTHC, k_BSGC, v_BSGC,
                            mask.documents_4E);
    return;
  }
  const ConstTensorView first_key_BT = mask.first_key_BT;
  if (attention_mma_takes(dims, o_BTHC.dtype())) {
    attention_mma_forward(ctx, dims, o_BTHC, lse_BHT, q_BTHC, k_BSGC, v_BSGC, first_key_BT);
    ctx.device->check_launch("attention_forward");
    return;
  }
  for_dtype(o_BTHC.dtype(), [&](auto element) {
    using T = decltype(element);
    forward_kernel<T><<<grid_of(dims.B * dims.T * dims.H, 1), kThreads, 0, stream_of(ctx)>>>(
        dims, pointer<T>(o_BTHC), pointer<float>(lse_BHT), pointer<T>(q_BTHC), pointer<T>(k_BSGC),
        pointer<T>(v_BSGC), pointer<std::int32_t>(first_key_BT), score_scale(dims));
  });
  ctx.device->check_launch("attention_forward");
}

void attention_documents(const OpContext& ctx, const AttentionDims& dims, TensorView documents_4E,
                         ConstTensorView first_key_BT) {
  documents_kernel<<<1, 1024, 0, stream_of(ctx)>>>(pointer<std::int32_t>(documents_4E),
                                                   pointer<std::int32_t>(first_key_BT),
                                                   static_cast<int>(documents_4E.dim(1)), dims);
  ctx.device->check_launch("attention_documents");
}

std::string attention_prepare(const OpContext& ctx, const AttentionDims& dims, DType dtype,
                              std::int64_t table_rows) {
  if (dtype != DType::kBFloat16) {
    return "own kernels: the library is for bfloat16";
  }
  const Result<std::string> library = cudnn_attention_prepare(ctx, {dims, table_rows, ctx.deterministic});
  return library.ok() ? *library : "own kernels: " + library.status().message();
}

std::string new_attention_plans(CudaDevice& device) {
  return new_cudnn_attention_plans(device);
}

void use_attention_plans(CudaDevice& device, std::string text) {
  use_cudnn_attention_plans(device, std::move(text));
}

void attention_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args) {
  if (args.q_BTHC.num_elements() == 0) {
    return;
  }
  if (is_for_cudnn(ctx, dims, args.q_BTHC.dtype(), args.mask)) {
    cudnn_attention_backward(ctx, cudnn_shape(ctx, dims, args.mask), args);
    return;
  }
  for_dtype(args.q_BTHC.dtype(), [&](auto element) {
    using T = decltype(element);
    const std::int64_t num_rows = dims.B * dims.T * dims.H;
    const T* const dout = pointer<T>(args.do_BTHC);
    const T* const q = pointer<T>(args.q_BTHC);
    const T* const k = pointer<T>(args.k_BSGC);
    const T* const v = pointer<T>(args.v_BSGC);
    const float* const lse = pointer<float>(args.lse_BHT);
    float* const delta = pointer<float>(args.delta_BHT);
    const std::int32_t* const first_key = pointer<std::int32_t>(args.mask.first_key_BT);
    delta_kernel<T><<<grid_of(num_rows, kThreads / 32), kThreads, 0, stream_of(ctx)>>>(
        dims, delta, dout, pointer<T>(args.o_BTHC));
    if (attention_mma_takes(dims, args.q_BTHC.dtype())) {
      attention_mma_backward(ctx, dims, args);
      return;
    }
    query_gradient_kernel<T><<<grid_of(num_rows, 1), kThreads, 0, stream_of(ctx)>>>(
        dims, pointer<T>(args.dq_BTHC), dout, q, k, v, lse, delta, first_key, score_scale(dims));
    key_gradient_kernel<T><<<grid_of(dims.B * dims.S * dims.G, 1), kThreads, 0, stream_of(ctx)>>>(
        dims, pointer<T>(args.dk_BSGC), pointer<T>(args.dv_BSGC), dout, q, k, v, lse, delta, first_key,
        score_scale(dims));
  });
  ctx.device->check_launch("attention_backward");
}

}  // namespace cairn::ops::cuda
