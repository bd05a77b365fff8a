// Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication": panels of a and b are packed
// so that a register tile of c reads both in storage order.
#include <algorithm>

#include "base/check.h"
#include "ops/gemm_backends.h"
#include "ops/gemm_tiles.h"
#include "tensor/plan.h"

namespace cairn::ops::cpu {

namespace {

// Blocks of the packed panels. A panel of a stays in the first-level cache while it meets a whole block of b,
// which is read as one long stream and may lie in the third. That walks along rows of c, whose pages stay in
// the TLB: wide blocks of b matter more than keeping them in the second-level cache.
constexpr std::int64_t kBlockDepth = 512;
constexpr std::int64_t kBlockRows = 336 / kTileRows * kTileRows;
constexpr std::int64_t kBlockColumns = 1024 / kTileColumns * kTileColumns;

constexpr std::int64_t kScratchFloatsA = kBlockRows * kBlockDepth + 64;
constexpr std::int64_t kScratchFloatsB = kBlockColumns * kBlockDepth;

// The largest block size <= max, a multiple of unit, that cuts count into blocks of nearly equal size.
std::int64_t even_block(std::int64_t count, std::int64_t max, std::int64_t unit) {
  const std::int64_t blocks = (count + max - 1) / max;
  return std::min(max, round_up((count + blocks - 1) / blocks, unit));
}

// One row of c (decoding): nothing is used twice, so nothing is packed and b is streamed once.

// b (n, k) row-major: squares of b are transposed in registers, lanes being outputs. Groups of lanes in turn,
// for as many chains in flight.
constexpr std::int64_t kRowGroups = 2;
constexpr std::int64_t kRowWidth = kRowGroups * simd::kLanes;

// out[i] continues its chain over a and rows[i]. Rows are long enough to be streams of their own; near their
// ends the rows that follow, to_next floats further, are asked for. Inlined, it becomes code that spills the
// square.
[[gnu::noinline]] void multiply_row_by_rows(const float* a, const float* const* rows, std::int64_t depth,
                                            std::int64_t to_next, float* out) {
  constexpr std::int64_t kAhead = 64;  // floats
  simd::Vec sum[kRowGroups];
#pragma GCC unroll 4
  for (std::int64_t g = 0; g < kRowGroups; ++g) {
    sum[g] = simd::load(out + g * simd::kLanes);
  }
  std::int64_t k = 0;
  for (; k + simd::kLanes <= depth; k += simd::kLanes) {
    const std::int64_t ahead = k + kAhead < depth ? k + kAhead : k + kAhead - depth + to_next;
#pragma GCC unroll 4
    for (std::int64_t g = 0; g < kRowGroups; ++g) {
      simd::Vec block[static_cast<std::size_t>(simd::kLanes)];
      simd::load_transposed(rows + g * simd::kLanes, k, block);
      const float* a_k = a + k;
      // Elements of a that one group shared with the next would take the registers of the square.
      asm volatile("" : "+r"(a_k));
#pragma GCC unroll 16
      for (int i = 0; i < simd::kLanes; ++i) {
        __builtin_prefetch(rows[g * simd::kLanes + i] + ahead);
      }
#pragma GCC unroll 16
      for (int i = 0; i < simd::kLanes; ++i) {
        sum[g] = simd::fma(simd::broadcast(a_k[i]), block[i], sum[g]);
      }
    }
  }
#pragma GCC unroll 4
  for (std::int64_t g = 0; g < kRowGroups; ++g) {
    simd::store(out + g * simd::kLanes, sum[g]);
  }
  for (; k < depth; ++k) {
    for (std::int64_t i = 0; i < kRowWidth; ++i) {
      out[i] = __builtin_fmaf(a[k], rows[i][k], out[i]);
    }
  }
}

void multiply_row_by_transposed(const Gemm& args) {
  for (std::int64_t j = 0; j < args.n; j += kRowWidth) {
    const std::int64_t columns = std::min(kRowWidth, args.n - j);
    const float* rows[kRowWidth];
    alignas(64) float out[kRowWidth] = {};
    for (std::int64_t i = 0; i < kRowWidth; ++i) {
      rows[i] = args.b + (j + std::min(i, columns - 1)) * args.ldb;
    }
    if (args.mode == WriteMode::kAdd) {
      std::copy_n(args.c + j, columns, out);
    }
    const std::int64_t to_next = j + 2 * kRowWidth <= args.n ? kRowWidth * args.ldb : 0;
    multiply_row_by_rows(args.a, rows, args.k, to_next, out);
    std::copy_n(out, columns, args.c + j);
  }
}

// b (k, n) row-major: four rows of b are added per pass over a piece of c that stays in the first-level
// cache.
void multiply_row_by_straight(const Gemm& args) {
  constexpr std::int64_t kColumns = 2048;
  for (std::int64_t begin = 0; begin < args.n; begin += kColumns) {
    const std::int64_t columns = std::min(kColumns, args.n - begin);
    float* const __restrict c = args.c + begin;
    if (args.mode == WriteMode::kOverwrite) {
      std::fill_n(c, columns, 0.0F);
    }
    const float* __restrict b = args.b + begin;
    std::int64_t k = 0;
    for (; k + 4 <= args.k; k += 4, b += 4 * args.ldb) {
      for (std::int64_t j = 0; j < columns; ++j) {
        float sum = __builtin_fmaf(args.a[k], b[j], c[j]);
        sum = __builtin_fmaf(args.a[k + 1], b[args.ldb + j], sum);
        sum = __builtin_fmaf(args.a[k + 2], b[2 * args.ldb + j], sum);
        c[j] = __builtin_fmaf(args.a[k + 3], b[3 * args.ldb + j], sum);
      }
    }
    for (; k < args.k; ++k, b += args.ldb) {
      for (std::int64_t j = 0; j < columns; ++j) {
        c[j] = __builtin_fmaf(args.a[k], b[j], c[j]);
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
  if (args.m == 1 && !args.a_is_k_major) {
    args.b_is_k_major ? multiply_row_by_straight(args) : multiply_row_by_transposed(args);
    return;
  }
  auto* packed_b = reinterpret_cast<float*>(scratch);
  float* packed_a = packed_b + kScratchFloatsB;
  const std::int64_t block_rows = even_block(args.m, kBlockRows, kTileRows);
  const std::int64_t block_columns = even_block(args.n, kBlockColumns, kTileColumns);
  const std::int64_t block_depth = even_block(args.k, kBlockDepth, simd::kLanes);
  for (std::int64_t j = 0; j < args.n; j += block_columns) {
    const IndexRange columns{j, std::min(j + block_columns, args.n)};
    for (std::int64_t k = 0; k < args.k; k += block_depth) {
      const IndexRange ks{k, std::min(k + block_depth, args.k)};
      pack_block<kTileColumns>(args.b, args.ldb, args.b_is_k_major, columns, ks, packed_b);
      for (std::int64_t i = 0; i < args.m; i += block_rows) {
        const IndexRange rows{i, std::min(i + block_rows, args.m)};
        const std::int64_t depth = ks.end - ks.begin;
        pack_block<kTileRows>(args.a, args.lda, args.a_is_k_major, rows, ks, packed_a);
        multiply_block({.rows = rows.end - rows.begin,
                        .columns = columns.end - columns.begin,
                        .depth = depth,
                        .a = packed_panels(packed_a, depth),
                        .packed_b = packed_b,
                        .c = args.c + i * args.ldc + j,
                        .ldc = args.ldc,
                        .starts_from_c = k > 0 || args.mode == WriteMode::kAdd});
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
  constexpr double kFlopsWorthAThread = 1e6;
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
