#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <string>

#include "ops/cross_entropy_backends.h"
#include "ops/vector_loop.h"
#include "ops/vector_math.h"

namespace cairn::ops::cpu {
namespace {

// Logits that stay in the first-level cache between the search of their maximum and the sum of exponentials,
// so that a row of any vocabulary is read from memory once.
constexpr std::int64_t kChunk = 4096;

// A float's bits as an integer of the same order; its own inverse. A maximum of integers has one value whatever
// the order of comparing, so that compilers vectorise it. A NaN may win or not: the sum becomes NaN either way.
std::int32_t ordered_bits(std::int32_t bits) {
  return bits ^ ((bits >> 31) & 0x7FFFFFFF);
}

float maximum_of(const float* x, std::int64_t count) {
  std::int32_t maximum = std::numeric_limits<std::int32_t>::min();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t ordered = ordered_bits(std::bit_cast<std::int32_t>(x[i]));
    maximum = maximum < ordered ? ordered : maximum;
  }
  return std::bit_cast<float>(ordered_bits(maximum));
}

struct LogSumExp {
  float maximum;
  float log_sum;  // the log-sum-exp is maximum + log_sum
};

LogSumExp log_sum_exp(const float* x, std::int64_t V) {
  float maximum = -std::numeric_limits<float>::infinity();
  double sum = 0.0;  // of exp(x - maximum)
  for (std::int64_t begin = 0; begin < V; begin += kChunk) {
    const std::int64_t count = std::min(kChunk, V - begin);
    const float* const chunk = x + begin;
    const float chunk_maximum = maximum_of(chunk, count);
    if (chunk_maximum > maximum) {
      sum *= static_cast<double>(fast_exp_nonpositive(maximum - chunk_maximum));
      maximum = chunk_maximum;
    }
    Lanes<double> lanes{};
    add_to_lanes(lanes, count, [&](std::int64_t i) { return fast_exp_nonpositive(chunk[i] - maximum); });
    sum += sum_lanes(lanes);
  }
  return {maximum, fast_log(static_cast<float>(sum))};
}

std::int64_t checked_target(const std::int32_t* targets, std::int64_t row, std::int64_t V) {
  const std::int64_t target = targets[row];
  CHECK(target >= 0 && target < V, "cross_entropy: target " + std::to_string(target) + " of row " +
                                       std::to_string(row) + " is outside the vocabulary of " +
                                       std::to_string(V));
  return target;
}

float loss_of(const LogSumExp& row, const float* x, const std::int32_t* targets, const float* weight,
              std::int64_t n, std::int64_t V) {
  if (weight[n] == 0.0F) {
    return 0.0F;
  }
  // Not lse - logit: of a confident prediction that would leave nothing but rounding.
  return (row.maximum - x[checked_target(targets, n, V)]) + row.log_sum;
}

// dx may be x.
void gradient_of_row(float* dx, const float* x, float lse, const std::int32_t* targets, float scale,
                     std::int64_t n, std::int64_t V) {
  if (scale == 0.0F) {
    std::memset(dx, 0, static_cast<std::size_t>(V) * sizeof(float));
    return;
  }
  CAIRN_INDEPENDENT_ITERATIONS
  for (std::int64_t v = 0; v < V; ++v) {
    dx[v] = fast_exp_nonpositive(x[v] - lse) * scale;
  }
  dx[checked_target(targets, n, V)] -= scale;
}

}  // namespace

void cross_entropy_forward(const OpContext& ctx, TensorView loss_N, TensorView lse_N,
                           ConstTensorView logits_NV, ConstTensorView targets_N, ConstTensorView weight_N) {
  const std::int64_t V = logits_NV.dim(1);
  const float* const logits = logits_NV.data<float>();
  const std::int32_t* const targets = targets_N.data<std::int32_t>();
  const float* const weight = weight_N.data<float>();
  float* const loss = loss_N.data<float>();
  float* const lse = lse_N.data<float>();
  ctx.pool.parallel_for(logits_NV.dim(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const float* const x = logits + n * V;
      const LogSumExp row = log_sum_exp(x, V);
      lse[n] = row.maximum + row.log_sum;
      loss[n] = loss_of(row, x, targets, weight, n, V);
    }
  });
}

void cross_entropy_backward(const OpContext& ctx, TensorView dlogits_NV, ConstTensorView logits_NV,
                            ConstTensorView lse_N, ConstTensorView targets_N, ConstTensorView dloss_N) {
  const std::int64_t V = logits_NV.dim(1);
  const float* const logits = logits_NV.data<float>();
  const float* const lse = lse_N.data<float>();
  const std::int32_t* const targets = targets_N.data<std::int32_t>();
  const float* const dloss = dloss_N.data<float>();
  float* const dlogits = dlogits_NV.data<float>();
  ctx.pool.parallel_for(logits_NV.dim(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      gradient_of_row(dlogits + n * V, logits + n * V, lse[n], targets, dloss[n], n, V);
    }
  });
}

void cross_entropy_forward_backward(const OpContext& ctx, TensorView loss_N, TensorView logits_NV,
                                    ConstTensorView targets_N, ConstTensorView weight_N,
                                    ConstTensorView dloss_N) {
  const std::int64_t V = logits_NV.dim(1);
  float* const logits = logits_NV.data<float>();
  const std::int32_t* const targets = targets_N.data<std::int32_t>();
  const float* const weight = weight_N.data<float>();
  const float* const dloss = dloss_N.data<float>();
  float* const loss = loss_N.data<float>();
  ctx.pool.parallel_for(logits_NV.dim(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      float* const x = logits + n * V;
      const LogSumExp row = log_sum_exp(x, V);
      loss[n] = loss_of(row, x, targets, weight, n, V);
      gradient_of_row(x, x, row.maximum + row.log_sum, targets, dloss[n], n, V);
    }
  });
}

void argmax_rows(const OpContext& ctx, TensorView predicted_N, ConstTensorView logits_NV) {
  const std::int64_t V = logits_NV.dim(1);
  const float* logits = logits_NV.data<float>();
  std::int32_t* predicted = predicted_N.data<std::int32_t>();
  ctx.pool.parallel_for(logits_NV.dim(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* values = logits + row * V;
      predicted[row] = static_cast<std::int32_t>(std::max_element(values, values + V) - values);
    }
  });
}

}  // namespace cairn::ops::cpu
