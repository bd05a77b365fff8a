#include <algorithm>

#include <cuda_fp8.h>

#include "ops/activation_cuda.cuh"
#include "ops/amax_cuda.cuh"
#include "ops/fp8_backends.h"
#include "ops/kernel_cuda.cuh"

namespace cairn::ops::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTile = 128;             // rows and columns of what a block transposes
constexpr int kTileWords = kTile / 4;  // four elements each
constexpr int kWidth = 8;              // elements of a load
constexpr int kAmaxBlocks = 1056;      // eight per multiprocessor

// What the kernels round: a thread opens it once and reads kWidth numbers from element i on.
template <class T>
struct PlainReader {
  const T* x;
  __device__ const PlainReader& open() const { return *this; }
  __device__ void read(std::int64_t i, float (&values)[kWidth]) const { load(x + i, values); }
};

template <class T>
struct OpenXieluReader {
  const T* x;
  XieluScalars scalars;
  __device__ void read(std::int64_t i, float (&values)[kWidth]) const {
    load(x + i, values);
#pragma unroll
    for (float& value : values) {
      value = xielu<T>(scalars, value);
    }
  }
};
template <class T>
struct XieluReader {
  const T* x;
  const float* a_p;
  const float* a_n;
  XieluConstants constants;
  __device__ OpenXieluReader<T> open() const { return {x, read_scalars(a_p, a_n, constants)}; }
};

template <class T>
struct SwigluReader {
  const T* gate;
  const T* up;
  __device__ const SwigluReader& open() const { return *this; }
  __device__ void read(std::int64_t i, float (&values)[kWidth]) const {
    float gates[kWidth];
    load(gate + i, gates);
    load(up + i, values);
#pragma unroll
    for (int k = 0; k < kWidth; ++k) {
      values[k] = swiglu(gates[k], values[k]);
    }
  }
};

template <class Reader>
__global__ void __launch_bounds__(kThreads)
    amax_kernel(std::uint32_t* amax, Reader reader, std::int64_t count) {
  const auto x = reader.open();
  std::uint32_t largest = 0;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kThreads * kWidth;
#pragma unroll 4
  for (std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kWidth; i < count;
       i += stride) {
    float values[kWidth];
    x.read(i, values);
#pragma unroll
    for (const float value : values) {
      largest = max(largest, magnitude_bits(value));
    }
  }
  raise_amax(amax, largest);
}

template <Fp8Format Format>
__device__ inline std::uint32_t four_rounded(const float* x, float inverse) {
  constexpr __nv_fp8_interpretation_t kKind = Format == Fp8Format::kE4M3 ? __NV_E4M3 : __NV_E5M2;
  const auto low =
      __nv_cvt_float2_to_fp8x2(make_float2(x[0] * inverse, x[1] * inverse), __NV_SATFINITE, kKind);
  const auto high =
      __nv_cvt_float2_to_fp8x2(make_float2(x[2] * inverse, x[3] * inverse), __NV_SATFINITE, kKind);
  return static_cast<std::uint32_t>(low) | (static_cast<std::uint32_t>(high) << 16U);
}

// Words of a tile row lie shifted by the row's group of 16, so that neither rows nor columns meet in one bank.
__device__ inline int word_at(int row, int word) {
  return row * kTileWords + (word ^ ((row / 16 % 8) * 4));
}

// From four words of four rows each (four columns) to four words of four columns each (four rows).
__device__ inline void transpose_bytes(std::uint32_t (&w)[4]) {
  const std::uint32_t low01 = __byte_perm(w[0], w[1], 0x5140);   // a0 b0 a1 b1
  const std::uint32_t high01 = __byte_perm(w[0], w[1], 0x7362);  // a2 b2 a3 b3
  const std::uint32_t low23 = __byte_perm(w[2], w[3], 0x5140);
  const std::uint32_t high23 = __byte_perm(w[2], w[3], 0x7362);
  w[0] = __byte_perm(low01, low23, 0x5410);
  w[1] = __byte_perm(low01, low23, 0x7632);
  w[2] = __byte_perm(high01, high23, 0x5410);
  w[3] = __byte_perm(high01, high23, 0x7632);
}

// scale[1] holds the largest magnitude; the first block writes the factor before it, where cuBLASLt finds it aligned.
template <class Reader, Fp8Format Format>
__global__ void __launch_bounds__(kThreads)
    round_kernel(std::uint8_t* rows, std::uint8_t* columns, float* scale, Reader reader, std::int64_t R,
                 std::int64_t C) {
  const auto x = reader.open();
  __shared__ std::uint32_t tile[kTile * kTileWords];
  constexpr float kLargest = Format == Fp8Format::kE4M3 ? 448.0F : 57344.0F;
  const float amax = scale[1];
  constexpr float kLeast = 0x1p-126F;  // whose inverse is finite; a NaN stays one
  const float factor = amax == 0.0F ? 1.0F : (amax < kLargest * kLeast ? kLeast : amax / kLargest);
  const float inverse = 1.0F / factor;
  if (blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0) {
    scale[0] = factor;
  }
  const std::int64_t first_row = static_cast<std::int64_t>(blockIdx.y) * kTile;
  const std::int64_t first_column = static_cast<std::int64_t>(blockIdx.x) * kTile;
  constexpr int kPerRow = kTile / kWidth;
  const int in_row = static_cast<int>(threadIdx.x) % kPerRow;
  const std::int64_t column = first_column + in_row * kWidth;
#pragma unroll
  for (int begin = 0; begin < kTile; begin += kThreads / kPerRow) {
    const int tile_row = begin + static_cast<int>(threadIdx.x) / kPerRow;
    const std::int64_t row = first_row + tile_row;
    if (row < R && column < C) {
      float values[kWidth];
      x.read(row * C + column, values);
      const uint2 packed = {four_rounded<Format>(values, inverse), four_rounded<Format>(values + 4, inverse)};
      if (rows != nullptr) {
        *reinterpret_cast<uint2*>(rows + row * C + column) = packed;
      }
      *reinterpret_cast<uint2*>(&tile[word_at(tile_row, in_row * 2)]) = packed;
    }
  }
  if (columns == nullptr) {
    return;
  }
  __syncthreads();
  // Each thread: four columns of sixteen rows.
  const int row_group = static_cast<int>(threadIdx.x) % 8;
  const int word = static_cast<int>(threadIdx.x) / 8;
  if (first_row + row_group * 16 >= R || first_column + word * 4 >= C) {
    return;
  }
  uint4 out[4];
  auto* const parts = reinterpret_cast<std::uint32_t*>(out);  // [column][four rows]
#pragma unroll
  for (int quad = 0; quad < 4; ++quad) {
    std::uint32_t words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      words[i] = tile[word_at(row_group * 16 + quad * 4 + i, word)];
    }
    transpose_bytes(words);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      parts[i * 4 + quad] = words[i];
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    *reinterpret_cast<uint4*>(columns + (first_column + word * 4 + i) * R + first_row + row_group * 16) =
        out[i];
  }
}

template <class Reader>
void measure(const OpContext& ctx, std::uint32_t* amax, Reader reader, std::int64_t count) {
  const std::int64_t blocks = std::min<std::int64_t>(kAmaxBlocks, grid_of(count, kThreads * kWidth));
  amax_kernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream_of(ctx)>>>(amax, reader, count);
}

// Calls body(reader) with what x says is to be rounded.
template <class Body>
void for_reader(const Fp8Source& x, Body&& body) {
  for_dtype(x.x_RC.dtype(), [&](auto element) {
    using T = decltype(element);
    switch (x.kind) {
      case Fp8Source::Kind::kPlain:
        body(PlainReader<T>{pointer<T>(x.x_RC)});
        return;
      case Fp8Source::Kind::kXielu:
        body(XieluReader<T>{pointer<T>(x.x_RC), pointer<float>(x.a_p), pointer<float>(x.a_n), x.constants});
        return;
      case Fp8Source::Kind::kSwiglu:
        body(SwigluReader<T>{pointer<T>(x.gate_RC), pointer<T>(x.x_RC)});
        return;
    }
  });
}

}  // namespace

void fp8_round(const OpContext& ctx, const Fp8Tensor& rows, const Fp8Tensor& columns, const Fp8Source& x) {
  const std::int64_t R = x.x_RC.dim(0);
  const std::int64_t C = x.x_RC.dim(1);
  if (R * C == 0) {
    return;
  }
  const dim3 grid(grid_of(C, kTile), grid_of(R, kTile));
  for_reader(x, [&](auto reader) {
    using Reader = decltype(reader);
    if (!x.is_measured) {
      measure(ctx, start_amax(ctx, rows.amax()), reader, R * C);
    }
    const auto kernel = rows.format == Fp8Format::kE4M3 ? &round_kernel<Reader, Fp8Format::kE4M3>
                                                        : &round_kernel<Reader, Fp8Format::kE5M2>;
    kernel<<<grid, kThreads, 0, stream_of(ctx)>>>(pointer<std::uint8_t>(rows.elements),
                                                  pointer<std::uint8_t>(columns.elements),
                                                  pointer<float>(rows.scale), reader, R, C);
  });
  ctx.device->check_launch("fp8_round");
}

void fp8_measure(const OpContext& ctx, TensorView amax, ConstTensorView x_RC) {
  for_reader(x_RC, [&](auto reader) { measure(ctx, start_amax(ctx, amax), reader, x_RC.num_elements()); });
  ctx.device->check_launch("fp8_measure");
}

}  // namespace cairn::ops::cuda
