// Blocks of scores are held transposed, keys by queries: a vector's lanes are then different queries, so the
// running maximum and sum of a query are plain chains over its keys in order, the same on every machine; and
// the block is at once the k-major left operand of o += p v and of dq += ds k, read in place.
//
// One block of queries belongs to one thread in forward, one (sequence, key/value head) in backward; blocks of
// keys start at multiples of kKeyBlock whatever the mask is. So the bits depend on neither threads nor grid.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "ops/attention_backends.h"
#include "ops/gemm_tiles.h"
#include "ops/vector_math.h"
#include "tensor/plan.h"

namespace cairn::ops::cpu {

namespace {

constexpr std::int64_t kQueryBlock = 256;          // forward
constexpr std::int64_t kQueryBlockBackward = 128;  // more operands are packed at once
constexpr std::int64_t kKeyBlock = 128;
constexpr std::int64_t kQueryGrain = 64;  // queries before a block of keys are skipped in these units
static_assert(kQueryGrain % kTileColumns == 0 && kQueryBlock % kQueryGrain == 0);

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Packing may write one vector past a buffer.
constexpr std::int64_t padded_floats(std::int64_t count) {
  return round_up(count + 64, 64);
}

constexpr std::int64_t kPanelRows = round_up(kKeyBlock, kTileRows);

// Hands out pieces of a thread's scratch.
class Scratch {
 public:
  explicit Scratch(std::byte* data) : next_(reinterpret_cast<float*>(data)) {}
  float* take(std::int64_t count) {
    float* const result = next_;
    next_ += padded_floats(count);
    return result;
  }

 private:
  float* next_;
};

constexpr std::int64_t forward_scratch_floats(std::int64_t C) {
  return padded_floats(kKeyBlock * kQueryBlock) + padded_floats(kQueryBlock * C) +
         padded_floats(kPanelRows * C) + padded_floats(kKeyBlock * round_up(C, kTileColumns)) +
         4 * padded_floats(kQueryBlock);
}
constexpr std::int64_t backward_scratch_floats(std::int64_t C) {
  const std::int64_t columns = round_up(C, kTileColumns);
  return 2 * padded_floats(kKeyBlock * kQueryBlockBackward) + 2 * padded_floats(kQueryBlockBackward * C) +
         2 * padded_floats(kQueryBlockBackward * columns) + 2 * padded_floats(kPanelRows * C) +
         padded_floats(kKeyBlock * columns) + padded_floats(kPanelRows * kQueryBlockBackward) +
         3 * padded_floats(kQueryBlockBackward);
}

// Queries that meet the same keys of one head, at consecutive positions; in decoding (T = 1) the query heads of
// one group instead, all at one position.
struct Queries {
  std::int64_t count = 0;
  std::int64_t padded = 0;          // up to whole tiles
  std::int64_t stride = 0;          // floats between the rows of q, o and their gradients
  std::int64_t first_position = 0;  // key row of the first query
  std::int64_t position_step = 1;
  const std::int32_t* first_key = nullptr;  // of each query (of the one position when position_step is 0)
  std::int64_t first_key_min = 0;
  std::int64_t first_key_max = 0;

  std::int64_t last_position() const { return first_position + (count - 1) * position_step; }
};

void set_first_keys(Queries& queries, const std::int32_t* first_key) {
  queries.first_key = first_key;
  if (first_key == nullptr) {
    return;
  }
  const std::int64_t count = queries.position_step == 0 ? 1 : queries.count;
  const auto [least, most] = std::minmax_element(first_key, first_key + count);
  queries.first_key_min = std::max(0, *least);
  queries.first_key_max = *most;
}

// Queries of the block that stand before `key` and see none of the keys from there on, in whole grains.
std::int64_t skipped_queries(const Queries& queries, std::int64_t key) {
  if (queries.position_step == 0) {
    return 0;
  }
  return std::max<std::int64_t>(0, key - queries.first_position) / kQueryGrain * kQueryGrain;
}

// Sets scores_SQ[s][r] to -inf wherever query r does not attend to key key_begin + s.
void mask_scores(const Queries& queries, IndexRange keys, IndexRange lanes, float* scores_SQ,
                 std::int64_t ld) {
  const bool has_future = keys.end - 1 > queries.first_position;
  const bool has_other_documents = keys.begin < queries.first_key_max;
  if (!has_future && !has_other_documents) {
    return;
  }
  for (std::int64_t s = keys.begin; s < keys.end; ++s) {
    float* row = scores_SQ + (s - keys.begin) * ld;
    if (queries.position_step == 0) {
      if (s > queries.first_position || s < queries.first_key_max) {
        std::fill(row + lanes.begin, row + lanes.end, kMinusInfinity);
      }
      continue;
    }
    const std::int64_t too_early = std::min(s - queries.first_position, lanes.end);
    for (std::int64_t r = lanes.begin; r < too_early; ++r) {
      row[r] = kMinusInfinity;
    }
    if (has_other_documents) {
      const std::int64_t end = std::min(lanes.end, queries.count);
      for (std::int64_t r = lanes.begin; r < end; ++r) {
        row[r] = s < queries.first_key[r] ? kMinusInfinity : row[r];
      }
    }
  }
}

// State of the online softmax, one float per query of the block.
struct RunningSoftmax {
  float* max;        // of scaled scores so far
  float* sum;        // of exp(score - max)
  float* rescale;    // factor by which earlier sums and outputs shrink
  float* candidate;  // the new maximum
};

// scores_SQ becomes exp(scale * score - max), and the state takes the block in.
void update_softmax(const RunningSoftmax& state, IndexRange lanes, std::int64_t num_keys, float scale,
                    float* scores_SQ, std::int64_t ld) {
  float* const __restrict candidate = state.candidate;
  float* const __restrict running_max = state.max;
  float* const __restrict rescale = state.rescale;
  float* const __restrict sum = state.sum;
  for (std::int64_t r = lanes.begin; r < lanes.end; ++r) {
    candidate[r] = kMinusInfinity;
  }
  for (std::int64_t s = 0; s < num_keys; ++s) {
    const float* const __restrict row = scores_SQ + s * ld;
    for (std::int64_t r = lanes.begin; r < lanes.end; ++r) {
      candidate[r] = row[r] > candidate[r] ? row[r] : candidate[r];
    }
  }
  for (std::int64_t r = lanes.begin; r < lanes.end; ++r) {
    const float scaled = candidate[r] * scale;
    const float next = scaled > running_max[r] ? scaled : running_max[r];
    // A query that has seen no key yet keeps a finite reference, so that -inf - reference stays -inf.
    candidate[r] = next == kMinusInfinity ? 0.0F : next;
    rescale[r] = fast_exp_nonpositive(running_max[r] - candidate[r]);
    running_max[r] = next;
    sum[r] *= rescale[r];
  }
  for (std::int64_t s = 0; s < num_keys; ++s) {
    float* const __restrict row = scores_SQ + s * ld;
    for (std::int64_t r = lanes.begin; r < lanes.end; ++r) {
      const float weight = fast_exp_nonpositive(std::fma(row[r], scale, -candidate[r]));
      row[r] = weight;
      sum[r] += weight;
    }
  }
}

void scale_rows(IndexRange rows, std::int64_t C, const float* factor, float* x, std::int64_t stride) {
  for (std::int64_t r = rows.begin; r < rows.end; ++r) {
    float* const row = x + r * stride;
    for (std::int64_t c = 0; c < C; ++c) {
      row[c] *= factor[r];
    }
  }
}

struct ForwardBlock {
  Queries queries;
  const float *q, *k, *v;
  float *o, *lse;
  std::int64_t C, key_stride;
};

void finish_rows(const ForwardBlock& block, const RunningSoftmax& state) {
  for (std::int64_t r = 0; r < block.queries.count; ++r) {
    const float sum = state.sum[r];
    block.lse[r] = state.max[r] + fast_log(sum);
    state.rescale[r] = sum > 0.0F ? 1.0F / sum : 0.0F;
  }
  scale_rows({0, block.queries.count}, block.C, state.rescale, block.o, block.queries.stride);
}

void forward_block(const ForwardBlock& block, std::byte* scratch_bytes) {
  const Queries& queries = block.queries;
  const std::int64_t C = block.C;
  Scratch scratch(scratch_bytes);
  float* const scores_SQ = scratch.take(kKeyBlock * kQueryBlock);
  float* const q_panels = scratch.take(kQueryBlock * C);
  float* const k_panels = scratch.take(kPanelRows * C);
  float* const v_panels = scratch.take(kKeyBlock * round_up(C, kTileColumns));
  const RunningSoftmax state{scratch.take(kQueryBlock), scratch.take(kQueryBlock), scratch.take(kQueryBlock),
                             scratch.take(kQueryBlock)};
  std::fill_n(state.max, queries.padded, kMinusInfinity);
  std::fill_n(state.sum, queries.padded, 0.0F);
  for (std::int64_t r = 0; r < queries.count; ++r) {
    std::fill_n(block.o + r * queries.stride, C, 0.0F);
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(C));
  pack_block<kTileColumns>(block.q, queries.stride, false, {0, queries.count}, {0, C}, q_panels);
  const std::int64_t keys_end = queries.last_position() + 1;
  for (std::int64_t s = queries.first_key_min / kKeyBlock * kKeyBlock; s < keys_end; s += kKeyBlock) {
    const IndexRange keys{s, std::min(s + kKeyBlock, keys_end)};
    const std::int64_t num_keys = keys.end - keys.begin;
    const IndexRange lanes{skipped_queries(queries, s), queries.padded};
    pack_block<kTileRows>(block.k, block.key_stride, false, keys, {0, C}, k_panels);
    multiply_block({.rows = num_keys,
                    .columns = lanes.end - lanes.begin,
                    .depth = C,
                    .a = packed_panels(k_panels, C),
                    .packed_b = q_panels + lanes.begin * C,
                    .c = scores_SQ + lanes.begin,
                    .ldc = kQueryBlock,
                    .starts_from_c = false});
    mask_scores(queries, keys, lanes, scores_SQ, kQueryBlock);
    update_softmax(state, lanes, num_keys, scale, scores_SQ, kQueryBlock);
    scale_rows({lanes.begin, queries.count}, C, state.rescale, block.o, queries.stride);
    pack_block<kTileColumns>(block.v + s * block.key_stride, block.key_stride, true, {0, C}, {0, num_keys},
                             v_panels);
    multiply_block({.rows = queries.count - lanes.begin,
                    .columns = C,
                    .depth = num_keys,
                    .a = k_major_matrix(scores_SQ + lanes.begin, kQueryBlock),
                    .packed_b = v_panels,
                    .c = block.o + lanes.begin * queries.stride,
                    .ldc = queries.stride,
                    .starts_from_c = true});
  }
  finish_rows(block, state);
}

// Runs task(index, thread) for index in [0, count), each index once, on whichever thread is free.
template <class Task>
void for_each_task(ThreadPool& pool, std::int64_t count, const Task& task) {
  if (count <= 1 || pool.num_threads() == 1) {
    for (std::int64_t i = 0; i < count; ++i) {
      task(i, 0);
    }
    return;
  }
  std::atomic<std::int64_t> next{0};
  const auto body = [&](int thread_index) {
    for (std::int64_t i = next.fetch_add(1, std::memory_order_relaxed); i < count;
         i = next.fetch_add(1, std::memory_order_relaxed)) {
      task(i, thread_index);
    }
  };
  pool.run(body);
}

std::byte* thread_scratch(const OpContext& ctx, int thread_index) {
  return ctx.workspace.bytes() + thread_index * attention_scratch_bytes();
}

void check_workspace(const OpContext& ctx) {
  CHECK(ctx.workspace.num_bytes() >= attention_scratch_bytes() * ctx.pool.num_threads(),
        "attention: workspace is too small");
}

// The (sequence, key/value head) that a backward task owns.
struct BackwardHead {
  const AttentionDims& dims;
  const float *q, *k, *v, *o, *lse, *d_o;
  float *dq, *dk, *dv, *delta;
  const std::int32_t* first_key;
  std::int64_t query_stride, key_stride;  // floats between rows
};

// Buffers of one backward task.
struct BackwardScratch {
  float *p_SQ, *ds_SQ;          // scores and their gradients, (kKeyBlock, kQueryBlockBackward)
  float *q_panels, *do_panels;  // transposed: right operands of k q^T and v do^T
  float *q_rows, *do_rows;      // straight: right operands of ds q and p do
  float *k_panels, *v_panels;   // left operands
  float* k_rows;                // right operand of ds k
  float* left_panels;           // p or ds, packed
  float *lse, *delta;           // of the block's queries, padded
  explicit BackwardScratch(std::byte* bytes, std::int64_t C) {
    Scratch scratch(bytes);
    const std::int64_t columns = round_up(C, kTileColumns);
    p_SQ = scratch.take(kKeyBlock * kQueryBlockBackward);
    ds_SQ = scratch.take(kKeyBlock * kQueryBlockBackward);
    q_panels = scratch.take(kQueryBlockBackward * C);
    do_panels = scratch.take(kQueryBlockBackward * C);
    q_rows = scratch.take(kQueryBlockBackward * columns);
    do_rows = scratch.take(kQueryBlockBackward * columns);
    k_panels = scratch.take(kPanelRows * C);
    v_panels = scratch.take(kPanelRows * C);
    k_rows = scratch.take(kKeyBlock * columns);
    left_panels = scratch.take(kPanelRows * kQueryBlockBackward);
    lse = scratch.take(kQueryBlockBackward);
    delta = scratch.take(kQueryBlockBackward);
  }
};

// delta = sum over channels of do * o, in 16 fixed lanes.
float dot_in_lanes(const float* a, const float* b, std::int64_t count) {
  constexpr std::int64_t kDotLanes = 16;
  float lanes[kDotLanes] = {};
  std::int64_t i = 0;
  for (; i + kDotLanes <= count; i += kDotLanes) {
    for (std::int64_t lane = 0; lane < kDotLanes; ++lane) {
      lanes[lane] = std::fma(a[i + lane], b[i + lane], lanes[lane]);
    }
  }
  for (std::int64_t lane = 0; i + lane < count; ++lane) {
    lanes[lane] = std::fma(a[i + lane], b[i + lane], lanes[lane]);
  }
  for (std::int64_t width = kDotLanes / 2; width > 0; width /= 2) {
    for (std::int64_t lane = 0; lane < width; ++lane) {
      lanes[lane] += lanes[lane + width];
    }
  }
  return lanes[0];
}

// p = exp(scale s - lse);  ds = scale p (dp - delta), where ds holds dp at first. Masked scores give p = 0.
void differentiate_softmax(const BackwardScratch& buffers, IndexRange lanes, std::int64_t num_keys,
                           float scale) {
  const float* const __restrict lse = buffers.lse;
  const float* const __restrict delta = buffers.delta;
  for (std::int64_t s = 0; s < num_keys; ++s) {
    float* const __restrict p = buffers.p_SQ + s * kQueryBlockBackward;
    float* const __restrict ds = buffers.ds_SQ + s * kQueryBlockBackward;
    for (std::int64_t r = lanes.begin; r < lanes.end; ++r) {
      const float weight = fast_exp_nonpositive(std::fma(p[r], scale, -lse[r]));
      p[r] = weight;
      ds[r] = weight * (ds[r] - delta[r]) * scale;
    }
  }
}

// The pairs of one block of keys and one block of queries of head h: adds to dq, dk and dv.
void backward_pair(const BackwardHead& head, const BackwardScratch& buffers, const Queries& queries,
                   std::int64_t query_begin, IndexRange keys) {
  const std::int64_t C = head.dims.C;
  const std::int64_t num_keys = keys.end - keys.begin;
  const std::int64_t lane = skipped_queries(queries, keys.begin);
  const IndexRange lanes{lane, queries.padded};
  const IndexRange live{lane, queries.count};
  const std::int64_t num_queries = live.end - live.begin;
  const float* const k = head.k + keys.begin * head.key_stride;
  const float* const v = head.v + keys.begin * head.key_stride;
  const float scale = 1.0F / std::sqrt(static_cast<float>(C));
  BlockProduct to_scores{.rows = num_keys,
                         .columns = lanes.end - lanes.begin,
                         .depth = C,
                         .a = packed_panels(buffers.k_panels, C),
                         .packed_b = buffers.q_panels + lane * C,
                         .c = buffers.p_SQ + lane,
                         .ldc = kQueryBlockBackward,
                         .starts_from_c = false};
  pack_block<kTileRows>(k, head.key_stride, false, {0, num_keys}, {0, C}, buffers.k_panels);
  multiply_block(to_scores);
  mask_scores(queries, keys, lanes, buffers.p_SQ, kQueryBlockBackward);
  pack_block<kTileRows>(v, head.key_stride, false, {0, num_keys}, {0, C}, buffers.v_panels);
  to_scores.a = packed_panels(buffers.v_panels, C);
  to_scores.packed_b = buffers.do_panels + lane * C;
  to_scores.c = buffers.ds_SQ + lane;
  multiply_block(to_scores);
  differentiate_softmax(buffers, lanes, num_keys, scale);

  // dv += p^T do and dk += ds^T q, over the queries; the transposed blocks are (keys, queries) already.
  BlockProduct to_keys{.rows = num_keys,
                       .columns = C,
                       .depth = num_queries,
                       .a = packed_panels(buffers.left_panels, num_queries),
                       .packed_b = nullptr,
                       .c = head.dv + keys.begin * head.key_stride,
                       .ldc = head.key_stride,
                       .starts_from_c = true};
  const float* const d_o = head.d_o + (query_begin + lane) * head.query_stride;
  const float* const q = head.q + (query_begin + lane) * head.query_stride;
  pack_block<kTileRows>(buffers.p_SQ, kQueryBlockBackward, false, {0, num_keys}, live, buffers.left_panels);
  pack_block<kTileColumns>(d_o, head.query_stride, true, {0, C}, {0, num_queries}, buffers.do_rows);
  to_keys.packed_b = buffers.do_rows;
  multiply_block(to_keys);
  pack_block<kTileRows>(buffers.ds_SQ, kQueryBlockBackward, false, {0, num_keys}, live, buffers.left_panels);
  pack_block<kTileColumns>(q, head.query_stride, true, {0, C}, {0, num_queries}, buffers.q_rows);
  to_keys.packed_b = buffers.q_rows;
  to_keys.c = head.dk + keys.begin * head.key_stride;
  multiply_block(to_keys);

  // dq += ds k, over the keys.
  pack_block<kTileColumns>(k, head.key_stride, true, {0, C}, {0, num_keys}, buffers.k_rows);
  multiply_block({.rows = num_queries,
                  .columns = C,
                  .depth = num_keys,
                  .a = k_major_matrix(buffers.ds_SQ + lane, kQueryBlockBackward),
                  .packed_b = buffers.k_rows,
                  .c = head.dq + (query_begin + lane) * head.query_stride,
                  .ldc = head.query_stride,
                  .starts_from_c = true});
}

Queries backward_queries(const BackwardHead& head, std::int64_t query_begin) {
  Queries queries;
  queries.count = std::min(kQueryBlockBackward, head.dims.T - query_begin);
  queries.padded = round_up(queries.count, kTileColumns);
  queries.stride = head.query_stride;
  queries.first_position = query_begin;
  set_first_keys(queries, head.first_key == nullptr ? nullptr : head.first_key + query_begin);
  return queries;
}

// One query head against its key/value head.
void backward_head(const BackwardHead& head, const BackwardScratch& buffers) {
  const std::int64_t C = head.dims.C;
  for (std::int64_t t = 0; t < head.dims.T; t += kQueryBlockBackward) {
    const Queries queries = backward_queries(head, t);
    const float* const q = head.q + t * head.query_stride;
    const float* const o = head.o + t * head.query_stride;
    const float* const d_o = head.d_o + t * head.query_stride;
    for (std::int64_t r = 0; r < queries.count; ++r) {
      std::fill_n(head.dq + (t + r) * head.query_stride, C, 0.0F);
      head.delta[t + r] = dot_in_lanes(d_o + r * head.query_stride, o + r * head.query_stride, C);
    }
    for (std::int64_t r = 0; r < queries.padded; ++r) {
      const std::int64_t row = t + std::min(r, queries.count - 1);
      buffers.lse[r] = std::isfinite(head.lse[row]) ? head.lse[row] : 0.0F;
      buffers.delta[r] = head.delta[row];
    }
    pack_block<kTileColumns>(q, head.query_stride, false, {0, queries.count}, {0, C}, buffers.q_panels);
    pack_block<kTileColumns>(d_o, head.query_stride, false, {0, queries.count}, {0, C}, buffers.do_panels);
    const std::int64_t keys_end = queries.last_position() + 1;
    for (std::int64_t s = queries.first_key_min / kKeyBlock * kKeyBlock; s < keys_end; s += kKeyBlock) {
      backward_pair(head, buffers, queries, t, {s, std::min(s + kKeyBlock, keys_end)});
    }
  }
}

}  // namespace

std::int64_t attention_scratch_bytes() {
  constexpr std::int64_t kFloats =
      std::max(forward_scratch_floats(kAttentionChannelsMax), backward_scratch_floats(kAttentionChannelsMax));
  return round_up(kFloats * 4, kTensorAlignment);
}

void attention_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC, TensorView lse_BHT,
                       ConstTensorView q_BTHC, ConstTensorView k_BSGC, ConstTensorView v_BSGC,
                       ConstTensorView first_key_BT) {
  check_workspace(ctx);
  const std::int64_t T = dims.T, S = dims.S, H = dims.H, G = dims.G, C = dims.C;
  const bool is_decoding = T == 1;
  const std::int64_t heads = is_decoding ? G : H;
  const std::int64_t group = H / G;
  const std::int64_t block_queries = is_decoding ? std::min(group, kQueryBlock) : kQueryBlock;
  const std::int64_t rows = is_decoding ? group : T;
  const std::int64_t blocks = (rows + block_queries - 1) / block_queries;
  const float* const q = q_BTHC.data<float>();
  const std::int32_t* const first_key = first_key_BT.is_null() ? nullptr : first_key_BT.data<std::int32_t>();
  const auto task = [&](std::int64_t index, int thread_index) {
    // The last blocks of a sequence see most keys: they go first.
    const std::int64_t row = (blocks - 1 - index % blocks) * block_queries;
    const std::int64_t head = index / blocks % heads;
    const std::int64_t b = index / blocks / heads;
    ForwardBlock block;
    block.C = C;
    block.key_stride = G * C;
    block.queries.count = std::min(block_queries, rows - row);
    block.queries.padded = round_up(block.queries.count, kTileColumns);
    block.queries.stride = is_decoding ? C : H * C;
    block.queries.position_step = is_decoding ? 0 : 1;
    block.queries.first_position = dims.query_offset + (is_decoding ? 0 : row);
    const std::int64_t t = is_decoding ? 0 : row;
    const std::int64_t h = is_decoding ? head * group + row : head;
    const std::int64_t g = is_decoding ? head : head / group;
    set_first_keys(block.queries, first_key == nullptr ? nullptr : first_key + b * T + t);
    const std::int64_t query = ((b * T + t) * H + h) * C;
    block.q = q + query;
    block.o = o_BTHC.data<float>() + query;
    block.lse = lse_BHT.data<float>() + (b * H + h) * T + t;
    block.k = k_BSGC.data<float>() + (b * S * G + g) * C;
    block.v = v_BSGC.data<float>() + (b * S * G + g) * C;
    forward_block(block, thread_scratch(ctx, thread_index));
  };
  for_each_task(ctx.pool, dims.B * heads * blocks, task);
}

void attention_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args) {
  check_workspace(ctx);
  const std::int64_t T = dims.T, S = dims.S, H = dims.H, G = dims.G, C = dims.C;
  const auto task = [&](std::int64_t index, int thread_index) {
    const std::int64_t g = index % G;
    const std::int64_t b = index / G;
    const BackwardScratch buffers(thread_scratch(ctx, thread_index), C);
    const std::int64_t key = (b * S * G + g) * C;
    float* const dk = args.dk_BSGC.data<float>() + key;
    float* const dv = args.dv_BSGC.data<float>() + key;
    for (std::int64_t s = 0; s < S; ++s) {
      std::fill_n(dk + s * G * C, C, 0.0F);
      std::fill_n(dv + s * G * C, C, 0.0F);
    }
    for (std::int64_t h = g * (H / G); h < (g + 1) * (H / G); ++h) {
      const std::int64_t query = (b * T * H + h) * C;
      const std::int64_t row = (b * H + h) * T;
      const BackwardHead head{.dims = dims,
                              .q = args.q_BTHC.data<float>() + query,
                              .k = args.k_BSGC.data<float>() + key,
                              .v = args.v_BSGC.data<float>() + key,
                              .o = args.o_BTHC.data<float>() + query,
                              .lse = args.lse_BHT.data<float>() + row,
                              .d_o = args.do_BTHC.data<float>() + query,
                              .dq = args.dq_BTHC.data<float>() + query,
                              .dk = dk,
                              .dv = dv,
                              .delta = args.delta_BHT.data<float>() + row,
                              .first_key = args.mask.first_key_BT.is_null()
                                               ? nullptr
                                               : args.mask.first_key_BT.data<std::int32_t>() + b * T,
                              .query_stride = H * C,
                              .key_stride = G * C};
      backward_head(head, buffers);
    }
  };
  for_each_task(ctx.pool, dims.B * G, task);
}

}  // namespace cairn::ops::cpu
