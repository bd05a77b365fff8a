// Register tiles and packed panels: what the GEMM and the attention of the CPU are made of. Each tile keeps one
// fma chain per output in k order and continues it from c, which is exact, so that nothing chosen here or by a
// caller (tile, panel, block) can change a bit of a result.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "device/simd.h"
#include "device/thread_pool.h"

namespace cairn::ops::cpu {

// The register tile: kTileRows x kTileVectors accumulators, and room for a row of b and a broadcast of a.
#if defined(__AVX512F__)
inline constexpr int kTileRows = 14;
inline constexpr int kTileVectors = 2;
#elif defined(__AVX2__) && defined(__FMA__)
inline constexpr int kTileRows = 6;
inline constexpr int kTileVectors = 2;
#elif defined(__aarch64__)
inline constexpr int kTileRows = 12;
inline constexpr int kTileVectors = 2;
#else
inline constexpr int kTileRows = 4;
inline constexpr int kTileVectors = 2;
#endif
inline constexpr int kTileColumns = kTileVectors * simd::kLanes;

constexpr std::int64_t round_up(std::int64_t x, std::int64_t unit) {
  return (x + unit - 1) / unit * unit;
}

inline constexpr std::int64_t kTileFloats = static_cast<std::int64_t>(kTileRows) * kTileColumns;

// One tile of c over `depth` steps. Step k reads Rows floats at a + k * a_stride and a row of the panel
// b [depth][kTileColumns].
template <int Rows, int Vectors>
void multiply_tile(std::int64_t depth, const float* a, std::int64_t a_stride, const float* b, float* c,
                   std::int64_t ldc, bool starts_from_c) {
  simd::Vec sum[static_cast<std::size_t>(Rows)][static_cast<std::size_t>(Vectors)];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      sum[i][v] = starts_from_c ? simd::load(c + i * ldc + v * simd::kLanes) : simd::Vec{};
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    simd::Vec b_row[static_cast<std::size_t>(Vectors)];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      b_row[v] = simd::load(b + v * simd::kLanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const simd::Vec a_element = simd::broadcast(a[i]);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) {
        sum[i][v] = simd::fma(a_element, b_row[v], sum[i][v]);
      }
    }
    a += a_stride;
    b += kTileColumns;
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      simd::store(c + i * ldc + v * simd::kLanes, sum[i][v]);
    }
  }
}

using TileFunction = void (*)(std::int64_t, const float*, std::int64_t, const float*, float*, std::int64_t,
                              bool);

template <int... RowsMinusOne>
constexpr std::array<TileFunction, sizeof...(RowsMinusOne)> tile_functions(
    std::integer_sequence<int, RowsMinusOne...> /*rows*/) {
  return {&multiply_tile<RowsMinusOne + 1, kTileVectors>...};
}

// By the number of rows less one.
inline constexpr auto kTileFunctions = tile_functions(std::make_integer_sequence<int, kTileRows>());

// `lines` sequences along k, source + line * ld, become panel[k][Width]. Lines past the end repeat the last;
// what they hold is never stored. Writes up to simd::kLanes - 1 floats past the panel. Width is at most simd::kLanes or a
// multiple of it, so that a store never spoils what an earlier one of the same panel wrote.
template <int Width>
void pack_transposed(const float* source, std::int64_t ld, std::int64_t lines, std::int64_t depth,
                     float* panel) {
  constexpr std::size_t kVectors = (Width + simd::kLanes - 1) / simd::kLanes;
  const float* rows[kVectors * simd::kLanes];
  for (std::size_t i = 0; i < kVectors * simd::kLanes; ++i) {
    rows[i] = source + std::min(static_cast<std::int64_t>(i), lines - 1) * ld;
  }
  std::int64_t k = 0;
  for (; k + simd::kLanes <= depth; k += simd::kLanes) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      simd::Vec block[static_cast<std::size_t>(simd::kLanes)];
      simd::load_transposed(rows + v * simd::kLanes, k, block);
      // In ascending order: a store may run over into the place of the next one.
#pragma GCC unroll 16
      for (int j = 0; j < simd::kLanes; ++j) {
        simd::store(panel + (k + j) * Width + static_cast<std::int64_t>(v) * simd::kLanes, block[j]);
      }
    }
  }
  for (; k < depth; ++k) {
    for (int i = 0; i < Width; ++i) {
      panel[k * Width + i] = rows[i][k];
    }
  }
}

// Rows of `columns` floats become panels [k][Width], one behind the other; the last one is filled with zeros.
// Several panels are written in one sweep over k, so that each row is read as one long piece.
template <int Width>
void pack_straight(const float* source, std::int64_t ld, std::int64_t columns, std::int64_t depth,
                   float* packed) {
  constexpr std::int64_t kSweep = (128 + Width - 1) / Width * Width;
  constexpr std::int64_t kVectors = (Width + simd::kLanes - 1) / simd::kLanes;
  const std::int64_t full_columns = columns / Width * Width;
  for (std::int64_t begin = 0; begin < full_columns; begin += kSweep) {
    const std::int64_t end = std::min(begin + kSweep, full_columns);
    // All rows but the last are copied in whole vectors: what is read too far belongs to the next row, what is
    // written too far is overwritten by it.
    for (std::int64_t k = 0; k < depth; ++k) {
      for (std::int64_t j = begin; j < end; j += Width) {
        const float* row = source + k * ld + j;
        float* panel_row = packed + j * depth + k * Width;
        if (Width % simd::kLanes == 0 || k + 1 < depth) {
#pragma GCC unroll 4
          for (std::int64_t v = 0; v < kVectors; ++v) {
            simd::store(panel_row + v * simd::kLanes, simd::load(row + v * simd::kLanes));
          }
        } else {
          std::memcpy(panel_row, row, Width * sizeof(float));
        }
      }
    }
  }
  float* last = packed + full_columns * depth;
  for (std::int64_t k = 0; full_columns < columns && k < depth; ++k) {
    for (std::int64_t j = 0; j < Width; ++j) {
      last[k * Width + j] = full_columns + j < columns ? source[k * ld + full_columns + j] : 0.0F;
    }
  }
}

// Lines [first, first + count) of an operand over k in [k_begin, k_begin + depth), panel by panel.
template <int Width>
void pack_block(const float* source, std::int64_t ld, bool is_k_major, IndexRange lines, IndexRange ks,
                float* packed) {
  const std::int64_t depth = ks.end - ks.begin;
  if (is_k_major) {
    pack_straight<Width>(source + ks.begin * ld + lines.begin, ld, lines.end - lines.begin, depth, packed);
    return;
  }
  for (std::int64_t i = lines.begin; i < lines.end; i += Width) {
    const std::int64_t count = std::min<std::int64_t>(Width, lines.end - i);
    pack_transposed<Width>(source + i * ld + ks.begin, ld, count, depth, packed);
    packed += depth * Width;
  }
}

// The left operand of a block product: panel p of kTileRows rows starts at data + p * panel_stride and step k of
// it at k * step_stride. Packed panels, or a k-major matrix read in place.
struct LeftPanels {
  const float* data;
  std::int64_t panel_stride;
  std::int64_t step_stride;
};
inline LeftPanels packed_panels(const float* packed, std::int64_t depth) {
  return {packed, depth * kTileRows, kTileRows};
}
inline LeftPanels k_major_matrix(const float* matrix, std::int64_t ld) {
  return {matrix, kTileRows, ld};
}

// Writes the first `columns` columns of a tile, through a copy of full width.
// A TileFunction's arguments and the size of the edge.
// NOLINTNEXTLINE(readability-function-size)
inline void multiply_edge_tile(TileFunction multiply, std::int64_t rows, std::int64_t columns,
                               std::int64_t depth, const float* a, std::int64_t a_stride, const float* b,
                               float* c, std::int64_t ldc, bool starts_from_c) {
  alignas(64) float tile[kTileFloats];
  for (std::int64_t i = 0; starts_from_c && i < rows; ++i) {
    for (std::int64_t j = 0; j < kTileColumns; ++j) {
      tile[i * kTileColumns + j] = j < columns ? c[i * ldc + j] : 0.0F;
    }
  }
  multiply(depth, a, a_stride, b, tile, kTileColumns, starts_from_c);
  for (std::int64_t i = 0; i < rows; ++i) {
    std::copy_n(tile + i * kTileColumns, columns, c + i * ldc);
  }
}

// c (rows, columns) = a b or, when it starts from c, c + a b, where packed_b holds panels of kTileColumns columns.
struct BlockProduct {
  std::int64_t rows, columns, depth;
  LeftPanels a;
  const float* packed_b;
  float* c;
  std::int64_t ldc;
  bool starts_from_c;
};
inline void multiply_block(const BlockProduct& block) {
  const std::int64_t depth = block.depth;
  for (std::int64_t i = 0; i < block.rows; i += kTileRows) {
    const std::int64_t tile_rows = std::min<std::int64_t>(kTileRows, block.rows - i);
    const TileFunction multiply = kTileFunctions[static_cast<std::size_t>(tile_rows - 1)];
    const float* a = block.a.data + i / kTileRows * block.a.panel_stride;
    for (std::int64_t j = 0; j < block.columns; j += kTileColumns) {
      const std::int64_t tile_columns = std::min<std::int64_t>(kTileColumns, block.columns - j);
      const float* b = block.packed_b + j * depth;
      float* tile = block.c + i * block.ldc + j;
      if (tile_columns == kTileColumns) {
        multiply(depth, a, block.a.step_stride, b, tile, block.ldc, block.starts_from_c);
      } else {
        multiply_edge_tile(multiply, tile_rows, tile_columns, depth, a, block.a.step_stride, b, tile,
                           block.ldc, block.starts_from_c);
      }
    }
  }
}

}  // namespace cairn::ops::cpu
