#include <cstring>

#include "ops/embedding_backends.h"
#include "ops/vector_loop.h"

namespace cairn::ops::cpu {
namespace {

constexpr std::int64_t kRowGrain = 16;
// One cache line of floats: two workers never write the same line of the table.
constexpr std::int64_t kColumnGrain = 16;
// Less work than this is not worth waking the workers.
constexpr std::int64_t kElementGrain = 8192;

std::int64_t checked_id(const std::int32_t* ids, std::int64_t row, std::int64_t V) {
  const std::int64_t id = ids[row];
  CHECK(id >= 0 && id < V, "embedding: id " + std::to_string(id) + " of row " + std::to_string(row) +
                               " is outside the vocabulary of " + std::to_string(V));
  return id;
}

}  // namespace

void embedding_forward(const OpContext& ctx, TensorView out_ND, ConstTensorView table_VD,
                       ConstTensorView ids_N) {
  const std::int64_t V = table_VD.dim(0);
  const std::int64_t D = table_VD.dim(1);
  const std::int32_t* const ids = ids_N.data<std::int32_t>();
  const float* const table = table_VD.data<float>();
  float* const out = out_ND.data<float>();
  ctx.pool.parallel_for(ids_N.dim(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      std::memcpy(out + n * D, table + checked_id(ids, n, V) * D,
                  static_cast<std::size_t>(D) * sizeof(float));
    }
  });
}

void embedding_backward(const OpContext& ctx, TensorView dtable_VD, ConstTensorView dout_ND,
                        ConstTensorView ids_N) {
  const std::int64_t V = dtable_VD.dim(0);
  const std::int64_t D = dtable_VD.dim(1);
  const std::int64_t N = ids_N.dim(0);
  const std::int32_t* const ids = ids_N.data<std::int32_t>();
  const float* const dout = dout_ND.data<float>();
  float* const dtable = dtable_VD.data<float>();
  // Cut by columns, so that every worker adds the rows in token order.
  const std::int64_t grain = N * D <= kElementGrain ? D : kColumnGrain;
  ctx.pool.parallel_for(D, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = 0; n < N; ++n) {
      const float* const from = dout + n * D;
      float* const to = dtable + checked_id(ids, n, V) * D;
      CAIRN_INDEPENDENT_ITERATIONS
      for (std::int64_t d = begin; d < end; ++d) {
        to[d] += from[d];
      }
    }
  });
}

}  // namespace cairn::ops::cpu
