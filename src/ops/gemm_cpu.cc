// Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication": panels of a and b are packed
// so that a register tile of c reads both in storage order. Each tile keeps its fma chains in k order and
// stores c between blocks of k, which is exact, so no choice made here can change a bit of the result.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "device/simd.h"
#include "ops/gemm_backends.h"
#include "tensor/plan.h"

namespace cairn::ops::cpu {

namespace {

using simd::kLanes;
using simd::Vec;

// The register tile: kTileRows x kTileVectors accumulators, and room for a row of b and a broadcast of a.
#if defined(__AVX512F__)
constexpr int kTileRows = 14;
constexpr int kTileVectors = 2;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
#elif defined(__aarch64__)
constexpr int kTileRows = 8;
constexpr int kTileVectors = 3;
#else
constexpr int kTileRows = 4;
constexpr int kTileVectors = 2;
#endif
constexpr int kTileColumns = kTileVectors * kLanes;

// Blocks of the packed panels: one panel of b in the first-level cache, all of a in the second, all of b in
// the third.
constexpr std::int64_t kBlockDepth = 256;
constexpr std::int64_t kBlockRows = 24 * kTileRows > 192 ? 24 * kTileRows : 192 / kTileRows* kTileRows;
constexpr std::int64_t kBlockColumns = 1024 / kTileColumns * kTileColumns;

constexpr std::int64_t kScratchFloatsA = kBlockRows * kBlockDepth + 64;
constexpr std::int64_t kScratchFloatsB = kBlockColumns * kBlockDepth;
constexpr std::int64_t kScratchFloatsTile = kTileRows * kTileColumns;

constexpr std::int64_t round_up(std::int64_t x, std::int64_t unit) {
  return (x + unit - 1) / unit * unit;
}

// The largest block size <= max, a multiple of unit, that cuts count into blocks of nearly equal size.
std::int64_t even_block(std::int64_t count, std::int64_t max, std::int64_t unit) {
  const std::int64_t blocks = (count + max - 1) / max;
  return std::min(max, round_up((count + blocks - 1) / blocks, unit));
}

// One tile of c over `depth` steps. a: [depth][kTileRows], b: [depth][kTileColumns].
template <int Rows, int Vectors>
void multiply_tile(std::int64_t depth, const float* a, const float* b, float* c, std::int64_t ldc,
                   bool starts_from_c) {
  Vec sum[static_cast<std::size_t>(Rows)][static_cast<std::size_t>(Vectors)];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      sum[i][v] = starts_from_c ? simd::load(c + i * ldc + v * kLanes) : Vec{};
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    Vec b_row[static_cast<std::size_t>(Vectors)];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      b_row[v] = simd::load(b + v * kLanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const Vec a_element = simd::broadcast(a[i]);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) {
        sum[i][v] = simd::fma(a_element, b_row[v], sum[i][v]);
      }
    }
    a += kTileRows;
    b += kTileColumns;
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      simd::store(c + i * ldc + v * kLanes, sum[i][v]);
    }
  }
}

using TileFunction = void (*)(std::int64_t, const float*, const float*, float*, std::int64_t, bool);

template <int... RowsMinusOne>
constexpr std::array<TileFunction, sizeof...(RowsMinusOne)> tile_functions(
    std::integer_sequence<int, RowsMinusOne...> /*rows*/) {
  return {&multiply_tile<RowsMinusOne + 1, kTileVectors>...};
}

// By the number of rows less one.
constexpr auto kTileFunctions = tile_functions(std::make_integer_sequence<int, kTileRows>());

// `lines` sequences along k, source + line * ld, become panel[k][Width]. Lines past the end repeat the last;
// what they hold is never stored. Writes up to kLanes - 1 floats past the panel.
template <int Width>
void pack_transposed(const float* source, std::int64_t ld, std::int64_t lines, std::int64_t depth,
                     float* panel) {
  constexpr std::size_t kVectors = (Width + kLanes - 1) / kLanes;
  const float* rows[kVectors * kLanes];
  for (std::size_t i = 0; i < kVectors * kLanes; ++i) {
    rows[i] = source + std::min(static_cast<std::int64_t>(i), lines - 1) * ld;
  }
  std::int64_t k = 0;
  for (; k + 4 <= depth; k += 4) {
    Vec block[kVectors][4];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      simd::load_transposed(rows + v * kLanes, k, block[v]);
    }
    // In ascending order: a store may run over into the place of the next one.
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) {
        simd::store(panel + (k + j) * Width + static_cast<std::int64_t>(v) * kLanes, block[v][j]);
      }
    }
  }
  for (; k < depth; ++k) {
    for (int i = 0; i < Width; ++i) {
      panel[k * Width + i] = rows[i][k];
    }
  }
}

// `depth` rows of `columns` <= Width floats become panel[k][Width].
template <int Width>
void pack_straight(const float* source, std::int64_t ld, std::int64_t columns, std::int64_t depth,
                   float* panel) {
  if (columns == Width) {
    for (std::int64_t k = 0; k < depth; ++k) {
      std::memcpy(panel + k * Width, source + k * ld, Width * sizeof(float));
    }
    return;
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    for (std::int64_t j = 0; j < Width; ++j) {
      panel[k * Width + j] = j < columns ? source[k * ld + j] : 0.0F;
    }
  }
}

// Lines [first, first + count) of an operand over k in [k_begin, k_begin + depth), panel by panel.
template <int Width>
void pack_block(const float* source, std::int64_t ld, bool is_k_major, IndexRange lines, IndexRange ks,
                float* packed) {
  const std::int64_t depth = ks.end - ks.begin;
  for (std::int64_t i = lines.begin; i < lines.end; i += Width) {
    const std::int64_t count = std::min<std::int64_t>(Width, lines.end - i);
    if (is_k_major) {
      pack_straight<Width>(source + ks.begin * ld + i, ld, count, depth, packed);
    } else {
      pack_transposed<Width>(source + i * ld + ks.begin, ld, count, depth, packed);
    }
    packed += depth * Width;
  }
}

// A tile that reaches over the last column of c: through a full-width copy.
void multiply_edge_tile(std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a,
                        const float* b, float* c, std::int64_t ldc, bool starts_from_c) {
  alignas(64) float tile[kScratchFloatsTile];
  if (starts_from_c) {
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < kTileColumns; ++j) {
        tile[i * kTileColumns + j] = j < columns ? c[i * ldc + j] : 0.0F;
      }
    }
  }
  kTileFunctions[static_cast<std::size_t>(rows - 1)](depth, a, b, tile, kTileColumns, starts_from_c);
  for (std::int64_t i = 0; i < rows; ++i) {
    std::copy_n(tile + i * kTileColumns, columns, c + i * ldc);
  }
}

// c (rows, columns) from packed blocks.
void multiply_block(std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* packed_a,
                    const float* packed_b, float* c, std::int64_t ldc, bool starts_from_c) {
  for (std::int64_t j = 0; j < columns; j += kTileColumns) {
    const std::int64_t tile_columns = std::min<std::int64_t>(kTileColumns, columns - j);
    const float* b = packed_b + j * depth;
    for (std::int64_t i = 0; i < rows; i += kTileRows) {
      const std::int64_t tile_rows = std::min<std::int64_t>(kTileRows, rows - i);
      const float* a = packed_a + i * depth;
      float* tile = c + i * ldc + j;
      if (tile_columns < kTileColumns) {
        multiply_edge_tile(tile_rows, tile_columns, depth, a, b, tile, ldc, starts_from_c);
      } else {
        kTileFunctions[static_cast<std::size_t>(tile_rows - 1)](depth, a, b, tile, ldc, starts_from_c);
      }
    }
  }
}

}  // namespace

std::int64_t gemm_scratch_bytes() {
  return round_up((kScratchFloatsA + kScratchFloatsB) * 4, kTensorAlignment);
}

void gemm_on_one_thread(const Gemm& args, std::byte* scratch) {
  if (args.m <= 0 || args.n <= 0) {
    return;
  }
  if (args.k <= 0) {
    for (std::int64_t i = 0; i < args.m && args.mode == WriteMode::kOverwrite; ++i) {
      std::fill_n(args.c + i * args.ldc, args.n, 0.0F);
    }
    return;
  }
  auto* packed_b = reinterpret_cast<float*>(scratch);
  float* packed_a = packed_b + kScratchFloatsB;
  const std::int64_t block_rows = even_block(args.m, kBlockRows, kTileRows);
  const std::int64_t block_columns = even_block(args.n, kBlockColumns, kTileColumns);
  const std::int64_t block_depth = even_block(args.k, kBlockDepth, 4);
  for (std::int64_t j = 0; j < args.n; j += block_columns) {
    const std::int64_t columns = std::min(block_columns, args.n - j);
    for (std::int64_t k = 0; k < args.k; k += block_depth) {
      const std::int64_t depth = std::min(block_depth, args.k - k);
      const bool starts_from_c = k > 0 || args.mode == WriteMode::kAdd;
      pack_block<kTileColumns>(args.b, args.ldb, args.b_is_k_major, {j, j + columns}, {k, k + depth},
                               packed_b);
      for (std::int64_t i = 0; i < args.m; i += block_rows) {
        const std::int64_t rows = std::min(block_rows, args.m - i);
        pack_block<kTileRows>(args.a, args.lda, args.a_is_k_major, {i, i + rows}, {k, k + depth}, packed_a);
        multiply_block(rows, columns, depth, packed_a, packed_b, args.c + i * args.ldc + j, args.ldc,
                       starts_from_c);
      }
    }
  }
}

namespace {

struct Grid {
  std::int64_t rows = 1, columns = 1;
};

// The cut of c among threads with the least work on the busiest one: its tiles, and the packing of its
// rows and columns, which costs about as much per element as 4 tile rows or columns do.
Grid choose_grid(const Gemm& args, int num_threads) {
  constexpr double kFlopsWorthAThread = 2e5;
  const double flops =
      2.0 * static_cast<double>(args.m) * static_cast<double>(args.n) * static_cast<double>(args.k);
  const auto useful = static_cast<std::int64_t>(std::min(1e6, flops / kFlopsWorthAThread));
  const std::int64_t threads = std::clamp<std::int64_t>(useful, 1, num_threads);
  Grid best;
  double best_cost = 0.0;
  for (std::int64_t rows = 1; rows <= threads; ++rows) {
    const std::int64_t columns = threads / rows;
    const std::int64_t m = round_up((args.m + rows - 1) / rows, 4);
    const std::int64_t n = round_up((args.n + columns - 1) / columns, kTileColumns);
    const double cost = static_cast<double>(m) * static_cast<double>(n) + 4.0 * static_cast<double>(m + n);
    if (rows == 1 || cost < best_cost) {
      best = {rows, columns};
      best_cost = cost;
    }
  }
  return best;
}

}  // namespace

void gemm(const OpContext& ctx, const Gemm& args) {
  const int num_threads = ctx.pool.num_threads();
  const std::int64_t scratch_bytes = gemm_scratch_bytes();
  CHECK(ctx.workspace.num_bytes() >= scratch_bytes * num_threads, "gemm: workspace is too small");
  std::byte* const scratch = ctx.workspace.bytes();
  const Grid grid = choose_grid(args, num_threads);
  if (grid.rows * grid.columns == 1) {
    gemm_on_one_thread(args, scratch);
    return;
  }
  const auto body = [&](int thread_index) {
    if (thread_index >= grid.rows * grid.columns) {
      return;
    }
    const IndexRange rows = static_block(args.m, thread_index / grid.columns, grid.rows, 4);
    const IndexRange columns = static_block(args.n, thread_index % grid.columns, grid.columns, kTileColumns);
    Gemm part = args;
    part.m = rows.end - rows.begin;
    part.n = columns.end - columns.begin;
    part.c += rows.begin * args.ldc + columns.begin;
    part.a += rows.begin * (args.a_is_k_major ? 1 : args.lda);
    part.b += columns.begin * (args.b_is_k_major ? 1 : args.ldb);
    gemm_on_one_thread(part, scratch + thread_index * scratch_bytes);
  };
  ctx.pool.run(body);
}

}  // namespace cairn::ops::cpu
