#include <algorithm>
#include <cmath>

#include "ops/activation_backends.h"
#include "ops/vector_loop.h"
#include "ops/vector_math.h"

namespace cairn::ops::cpu {
namespace {

constexpr std::int64_t kElementGrain = 8192;

// The scalars of one layer, worked out once per call.
struct XieluScalars {
  float alpha_p, alpha_n, beta, eps;
  double dalpha_p, dalpha_n;  // derivative of softplus
};

double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

XieluScalars xielu_scalars(const ConstTensorView& a_p, const ConstTensorView& a_n, XieluConstants constants) {
  const double p = static_cast<double>(*a_p.data<float>());
  const double n = static_cast<double>(*a_n.data<float>());
  return {static_cast<float>(softplus(p)),
          static_cast<float>(static_cast<double>(constants.beta) + softplus(n)),
          constants.beta,
          constants.eps,
          sigmoid(p),
          sigmoid(n)};
}

// expm1(min(x, eps)) - x, for x <= 0. As x goes to 0 the difference falls like x^2 / 2 and float32 loses its
// digits, but only beside beta x, which is larger by then.
inline float negative_branch(float x, float eps) {
  return fast_expm1(x < eps ? x : eps) - x;
}

}  // namespace

void xielu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView x_NF, ConstTensorView a_p,
                   ConstTensorView a_n, XieluConstants constants) {
  const XieluScalars s = xielu_scalars(a_p, a_n, constants);
  const float* const x = x_NF.data<float>();
  float* const y = y_NF.data<float>();
  ctx.pool.parallel_for(x_NF.num_elements(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    CAIRN_INDEPENDENT_ITERATIONS
    for (std::int64_t i = begin; i < end; ++i) {
      const float v = x[i];
      const float positive = s.alpha_p * v * v;
      const float negative = s.alpha_n * negative_branch(v, s.eps);
      y[i] = (v > 0.0F ? positive : negative) + s.beta * v;
    }
  });
}

void xielu_backward_input(const OpContext& ctx, TensorView dx_NF, ConstTensorView dy_NF, ConstTensorView x_NF,
                          ConstTensorView a_p, ConstTensorView a_n, XieluConstants constants) {
  const XieluScalars s = xielu_scalars(a_p, a_n, constants);
  const float* const dy = dy_NF.data<float>();
  const float* const x = x_NF.data<float>();
  float* const dx = dx_NF.data<float>();
  ctx.pool.parallel_for(x_NF.num_elements(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    CAIRN_INDEPENDENT_ITERATIONS
    for (std::int64_t i = begin; i < end; ++i) {
      const float v = x[i];
      const float positive = 2.0F * s.alpha_p * v;
      // Between eps and 0 the argument of expm1 does not move.
      const float exp_minus_one = v < s.eps ? fast_expm1(v < 0.0F ? v : 0.0F) : -1.0F;
      const float slope = (v > 0.0F ? positive : s.alpha_n * exp_minus_one) + s.beta;
      dx[i] = dy[i] * slope;
    }
  });
}

namespace {

// Rows are cut into this many blocks, whatever the threads; blocks are added in order.
constexpr std::int64_t kNumBlocks = 128;
struct XieluSums {
  double positive = 0.0;
  double negative = 0.0;
};

// Terms are worked out a tile at a time, which vectorises better than inside the sums.
constexpr std::int64_t kTile = 512;

XieluSums xielu_sums(const float* dy, const float* x, std::int64_t count, float eps) {
  Lanes<double> positive{};
  Lanes<double> negative{};
  float positive_terms[kTile];
  float negative_terms[kTile];
  for (std::int64_t begin = 0; begin < count; begin += kTile) {
    const std::int64_t size = std::min(kTile, count - begin);
    const float* const x_tile = x + begin;
    const float* const dy_tile = dy + begin;
    for (std::int64_t i = 0; i < size; ++i) {
      const float v = x_tile[i];
      const float d = dy_tile[i];
      const float above = d * (v * v);
      const float below = d * negative_branch(v, eps);
      positive_terms[i] = v > 0.0F ? above : 0.0F;
      negative_terms[i] = v > 0.0F ? 0.0F : below;
    }
    add_to_lanes(positive, size, [&](std::int64_t i) { return positive_terms[i]; });
    add_to_lanes(negative, size, [&](std::int64_t i) { return negative_terms[i]; });
  }
  return {sum_lanes(positive), sum_lanes(negative)};
}

}  // namespace

void xielu_backward_weight(const OpContext& ctx, TensorView da_p, TensorView da_n, ConstTensorView dy_NF,
                           ConstTensorView x_NF, ConstTensorView a_p, ConstTensorView a_n,
                           XieluConstants constants) {
  const XieluScalars s = xielu_scalars(a_p, a_n, constants);
  const float* const dy = dy_NF.data<float>();
  const float* const x = x_NF.data<float>();
  const std::int64_t N = x_NF.dim(0);
  const std::int64_t F = x_NF.dim(1);
  XieluSums blocks[kNumBlocks];
  const std::int64_t grain = N * F <= kElementGrain ? kNumBlocks : 1;
  ctx.pool.parallel_for(kNumBlocks, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const IndexRange rows = static_block(N, block, kNumBlocks);
      XieluSums& sums = blocks[block];
      for (std::int64_t n = rows.begin; n < rows.end; ++n) {
        const XieluSums row = xielu_sums(dy + n * F, x + n * F, F, s.eps);
        sums.positive += row.positive;
        sums.negative += row.negative;
      }
    }
  });
  XieluSums total;
  for (const XieluSums& sums : blocks) {
    total.positive += sums.positive;
    total.negative += sums.negative;
  }
  *da_p.data<float>() += static_cast<float>(s.dalpha_p * total.positive);
  *da_n.data<float>() += static_cast<float>(s.dalpha_n * total.negative);
}

void swiglu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView gate_NF, ConstTensorView up_NF) {
  const float* const gate = gate_NF.data<float>();
  const float* const up = up_NF.data<float>();
  float* const y = y_NF.data<float>();
  ctx.pool.parallel_for(y_NF.num_elements(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    CAIRN_INDEPENDENT_ITERATIONS
    for (std::int64_t i = begin; i < end; ++i) {
      y[i] = gate[i] * fast_sigmoid(gate[i]) * up[i];
    }
  });
}

void swiglu_backward(const OpContext& ctx, TensorView dgate_NF, TensorView dup_NF, ConstTensorView dy_NF,
                     ConstTensorView gate_NF, ConstTensorView up_NF) {
  const float* const dy = dy_NF.data<float>();
  const float* const gate = gate_NF.data<float>();
  const float* const up = up_NF.data<float>();
  float* const dgate = dgate_NF.data<float>();
  float* const dup = dup_NF.data<float>();
  ctx.pool.parallel_for(dy_NF.num_elements(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    CAIRN_INDEPENDENT_ITERATIONS
    for (std::int64_t i = begin; i < end; ++i) {
      const float g = gate[i];
      const float d = dy[i];
      const float s = fast_sigmoid(g);
      const float silu = g * s;
      const float slope = s + silu * (1.0F - s);
      dgate[i] = d * up[i] * slope;
      dup[i] = d * silu;
    }
  });
}

}  // namespace cairn::ops::cpu
