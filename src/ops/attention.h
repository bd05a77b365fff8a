// Causal attention with grouped key/value heads and a per-row earliest key, blocked so that no (T, T)
// matrix is kept. Dao et al. 2022, arXiv:2205.14135 (online softmax, log-sum-exp kept for backward).
#pragma once

#include "ops/op_context.h"

namespace cairn::ops {

// B sequences; T query rows; S key rows (S = T in training; S = query_offset + T with a key/value cache);
// H query heads; G key/value heads, H % G == 0; C channels per head.
// Query row t stands at key row query_offset + t and attends to key rows
//   first_key_BT[b, t] <= s <= query_offset + t.
struct AttentionDims {
  std::int64_t B = 0, T = 0, S = 0, H = 0, G = 0, C = 0;
  std::int64_t query_offset = 0;
};

//   o_BTHC        (B, T, H, C) float32   =
//   lse_BHT       (B, H, T) float32      = ; log-sum-exp of the scaled scores, for backward
//   q_BTHC        (B, T, H, C) float32
//   k_BSGC, v_BSGC (B, S, G, C) float32
//   first_key_BT  (B, T) int32, or a null view for 0 everywhere
// o = softmax(q k^T / sqrt(C) + mask) v. Deterministic; the bits do not depend on threads.
// The caches of decoding may be larger than S rows: pass views of exactly S rows per sequence (B = 1).
void attention_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC, TensorView lse_BHT,
                       ConstTensorView q_BTHC, ConstTensorView k_BSGC, ConstTensorView v_BSGC,
                       ConstTensorView first_key_BT);

// Everything backward reads and writes. dq, dk, dv are overwritten (=). REQUIRES: query_offset == 0, S == T.
struct AttentionBackward {
  TensorView dq_BTHC, dk_BSGC, dv_BSGC;
  TensorView delta_BHT;  // scratch, float32: sum_C(do * o)
  ConstTensorView do_BTHC, q_BTHC, k_BSGC, v_BSGC, o_BTHC, lse_BHT, first_key_BT;
};
void attention_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args);

}  // namespace cairn::ops
