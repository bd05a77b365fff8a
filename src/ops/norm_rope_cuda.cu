// Some neighbouring lanes work on one head: each holds Width channels of the lower half and their partners in the upper half, so
// that the norm's sum is a few shuffles and the rotation needs none. They take several heads of one row, whose angles they read
// once: as float32 for every head those would be twice the bytes of the head.
#include <algorithm>

#include "ops/amax_cuda.cuh"
#include "ops/kernel_cuda.cuh"
#include "ops/norm_rope_backends.h"
#include "ops/partial_sums_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kBackwardBlocksMax = 2048;
constexpr int kRun =
    4;  // heads that share the angles read once, where the heads of a row are a multiple of it

// The sum over the lanes of a head.
template <int Lanes>
__device__ float head_sum(float x) {
#pragma unroll
  for (int offset = Lanes / 2; offset > 0; offset /= 2) {
    x += __shfl_xor_sync(0xffffffffU, x, offset);
  }
  return x;
}

struct Heads {
  std::int64_t count;  // N * H, below 2^32: rows are found by a division of 32 bits
  std::uint32_t H;
  const std::int32_t* positions;
  const float* cos_PK;
  const float* sin_PK;
};

// One lane's part of the angles of a row.
template <int Width>
struct Angles {
  float cos[Width], sin[Width];

  __device__ void read(const Heads& heads, std::int64_t head, int channel, int half) {
    const std::uint32_t row = static_cast<std::uint32_t>(head) / heads.H;
    const std::int64_t at = static_cast<std::int64_t>(heads.positions[row]) * half + channel;
    load(heads.cos_PK + at, cos);
    load(heads.sin_PK + at, sin);
  }
};

// One lane's part of a head.
template <int Width>
struct Pair {
  float low[Width], high[Width];

  template <class T>
  __device__ void read(const T* head, int channel, int half) {
    load(head + channel, low);
    load(head + half + channel, high);
  }
  template <class T>
  __device__ void write(T* head, int channel, int half) const {
    store(head + channel, low);
    store(head + half + channel, high);
  }
  // By the angles, or back.
  __device__ void rotate(const Angles<Width>& angles, float direction) {
#pragma unroll
    for (int i = 0; i < Width; ++i) {
      const float a = low[i];
      const float b = high[i];
      low[i] = a * angles.cos[i] - b * angles.sin[i] * direction;
      high[i] = b * angles.cos[i] + a * angles.sin[i] * direction;
    }
  }
};

// A group of lanes takes one run: Run neighbouring heads, all of one row.
template <class T, int Width, int Lanes, int Run>
__global__ void __launch_bounds__(kThreads, 4)
    forward_kernel(T* y, float* rstd, const T* x, const float* weight, Heads heads, float eps) {
  constexpr int kHalf = Width * Lanes;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * (kThreads / Lanes) + threadIdx.x / Lanes;
  const bool is_inside = index * Run < heads.count;
  const std::int64_t first = is_inside ? index * Run : heads.count - Run;  // all lanes take part in the sums
  const int channel = static_cast<int>(threadIdx.x) % Lanes * Width;
  Angles<Width> angles;
  angles.read(heads, first, channel, kHalf);
  Pair<Width> w;
  w.read(weight, channel, kHalf);
#pragma unroll
  for (int h = 0; h < Run; ++h) {
    const std::int64_t head = first + h;
    Pair<Width> in;
    in.read(x + head * 2 * kHalf, channel, kHalf);
    float squares = 0.0F;
#pragma unroll
    for (int i = 0; i < Width; ++i) {
      squares += in.low[i] * in.low[i] + in.high[i] * in.high[i];
    }
    const float r = rsqrtf(head_sum<Lanes>(squares) / static_cast<float>(2 * kHalf) + eps);
#pragma unroll
    for (int i = 0; i < Width; ++i) {
      in.low[i] *= r * w.low[i];
      in.high[i] *= r * w.high[i];
    }
    in.rotate(angles, 1.0F);
    if (is_inside) {
      in.write(y + head * 2 * kHalf, channel, kHalf);
      if (channel == 0) {
        rstd[head] = r;
      }
    }
  }
}

// Group g of lanes takes runs g, g + groups, ...; a block leaves partial[block] = its groups' sums of the weight's gradient.
template <class T, int Width, int Lanes, int Run>
__global__ void __launch_bounds__(kThreads, 3)
    backward_kernel(T* dx, float* partial, std::uint32_t* amax, const T* x, const float* weight,
                    const float* rstd, Heads heads) {
  constexpr int kHalf = Width * Lanes;
  constexpr int kGroups = kThreads / Lanes;
  __shared__ float shared[kGroups][2 * kHalf];
  const int group = static_cast<int>(threadIdx.x) / Lanes;
  const int channel = static_cast<int>(threadIdx.x) % Lanes * Width;
  Pair<Width> w;
  w.read(weight, channel, kHalf);
  Pair<Width> sums{};
  std::uint32_t largest = 0;
  const std::int64_t runs = heads.count / Run;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kGroups;
  // All groups of a warp go round as often as the first one.
  const std::int64_t first_run =
      static_cast<std::int64_t>(blockIdx.x) * kGroups + threadIdx.x / 32 * (32 / Lanes);
  for (std::int64_t base = first_run; base < runs; base += stride) {
    const std::int64_t index = base + threadIdx.x % 32 / Lanes;
    const bool is_inside = index < runs;
    const std::int64_t first = (is_inside ? index : runs - 1) * Run;
    Angles<Width> angles;
    angles.read(heads, first, channel, kHalf);
#pragma unroll 2
    for (int h = 0; h < Run; ++h) {
      const std::int64_t head = first + h;
      Pair<Width> in;
      Pair<Width> gradient;
      in.read(x + head * 2 * kHalf, channel, kHalf);
      gradient.read(dx + head * 2 * kHalf, channel, kHalf);
      gradient.rotate(angles, -1.0F);
      const float r = rstd[head];
      float dot = 0.0F;
#pragma unroll
      for (int i = 0; i < Width; ++i) {
        if (is_inside) {
          sums.low[i] += gradient.low[i] * in.low[i] * r;
          sums.high[i] += gradient.high[i] * in.high[i] * r;
        }
        gradient.low[i] *= w.low[i];
        gradient.high[i] *= w.high[i];
        dot += gradient.low[i] * in.low[i] + gradient.high[i] * in.high[i];
      }
      const float share = head_sum<Lanes>(dot) / static_cast<float>(2 * kHalf) * r * r;
#pragma unroll
      for (int i = 0; i < Width; ++i) {
        gradient.low[i] = r * (gradient.low[i] - in.low[i] * share);
        gradient.high[i] = r * (gradient.high[i] - in.high[i] * share);
      }
      if (is_inside) {
        T* const to = dx + head * 2 * kHalf + channel;
        largest =
            max(largest, max(store_measured(to, gradient.low), store_measured(to + kHalf, gradient.high)));
      }
    }
  }
  if (amax != nullptr) {
    raise_amax(amax, largest);
  }
  sums.write(&shared[group][0], channel, kHalf);
  __syncthreads();
  for (int c = static_cast<int>(threadIdx.x); c < 2 * kHalf; c += kThreads) {
    float total = 0.0F;
    for (int g = 0; g < kGroups; ++g) {
      total += shared[g][c];
    }
    partial[static_cast<std::int64_t>(blockIdx.x) * 2 * kHalf + c] = total;
  }
}

// Calls body(T, Width, Lanes, Run) when C / 2 is a power-of-two number of vectors that one warp can hold; says whether it is.
template <class Body>
bool for_heads(std::int64_t H, std::int64_t C, DType dtype, Body&& body) {
  bool is_taken = false;
  for_dtype(dtype, [&](auto element) {
    using T = decltype(element);
    constexpr int kWidth = 4;  // more would take registers that blocks on the same multiprocessor need
    const auto try_lanes = [&](auto lanes) {
      if (C != 2 * kWidth * lanes) {
        return;
      }
      is_taken = true;
      if (H % kRun == 0) {
        body(element, std::integral_constant<int, kWidth>{}, lanes, std::integral_constant<int, kRun>{});
      } else {
        body(element, std::integral_constant<int, kWidth>{}, lanes, std::integral_constant<int, 1>{});
      }
    };
    try_lanes(std::integral_constant<int, 2>{});
    try_lanes(std::integral_constant<int, 4>{});
    try_lanes(std::integral_constant<int, 8>{});
    try_lanes(std::integral_constant<int, 16>{});
    try_lanes(std::integral_constant<int, 32>{});
  });
  return is_taken;
}

Heads heads_of(const ConstTensorView& x_NHC, const RopeTables& rope) {
  CHECK(x_NHC.dim(0) * x_NHC.dim(1) < std::int64_t{1} << 32, "norm_rope: too many heads for the GPU");
  return {x_NHC.dim(0) * x_NHC.dim(1), static_cast<std::uint32_t>(x_NHC.dim(1)),
          pointer<std::int32_t>(rope.positions_N), pointer<float>(rope.cos_PK), pointer<float>(rope.sin_PK)};
}

}  // namespace

bool norm_rope_takes(std::int64_t C, DType dtype) {
  return for_heads(1, C, dtype, [](auto /*element*/, auto /*width*/, auto /*lanes*/, auto /*run*/) {});
}

void norm_rope_forward(const OpContext& ctx, TensorView y_NHC, TensorView rstd, ConstTensorView x_NHC,
                       ConstTensorView weight_C, const RopeTables& rope, float eps) {
  const Heads heads = heads_of(x_NHC, rope);
  if (heads.count == 0) {
    return;
  }
  for_heads(heads.H, x_NHC.dim(2), x_NHC.dtype(), [&](auto element, auto width, auto lanes, auto run) {
    using T = decltype(element);
    const unsigned blocks = grid_of(heads.count / run, kThreads / lanes);
    forward_kernel<T, width, lanes, run><<<blocks, kThreads, 0, stream_of(ctx)>>>(
        pointer<T>(y_NHC), pointer<float>(rstd), pointer<T>(x_NHC), pointer<float>(weight_C), heads, eps);
  });
  ctx.device->check_launch("norm_rope_forward");
}

void norm_rope_backward(const OpContext& ctx, const NormRopeBackward& args) {
  const Heads heads = heads_of(args.x_NHC, args.rope);
  const std::int64_t C = args.x_NHC.dim(2);
  if (heads.count == 0) {
    return;
  }
  float* const partial = pointer<float>(ctx.workspace);
  std::uint32_t* const amax = start_amax(ctx, args.amax);
  for_heads(heads.H, C, args.x_NHC.dtype(), [&](auto element, auto width, auto lanes, auto run) {
    using T = decltype(element);
    const unsigned blocks =
        std::min<unsigned>(grid_of(heads.count / run, kThreads / lanes), kBackwardBlocksMax);
    backward_kernel<T, width, lanes, run><<<blocks, kThreads, 0, stream_of(ctx)>>>(
        pointer<T>(args.dx_NHC), partial, amax, pointer<T>(args.x_NHC), pointer<float>(args.weight_C),
        pointer<float>(args.rstd), heads);
    add_partial_rows(ctx, pointer<float>(args.dweight_C), partial, blocks, C);
  });
  ctx.device->check_launch("norm_rope_backward");
}

}  // namespace cairn::ops::cuda
