// Causal attention with grouped key/value heads and a per-row earliest key, blocked so that no (T, T)
// matrix is kept. Dao et al. 2022, arXiv:2205.14135 (online softmax, log-sum-exp kept for backward).
#pragma once

#include <string>

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

// Which keys a row sees besides the causal rule.
struct AttentionMask {
  AttentionMask() = default;
  // Implicit: most masks are their first keys, or none.
  // NOLINTBEGIN(google-explicit-constructor)
  AttentionMask(ConstTensorView first_key) : first_key_BT(first_key) {}
  AttentionMask(TensorView first_key) : first_key_BT(first_key) {}
  // NOLINTEND(google-explicit-constructor)

  ConstTensorView first_key_BT;  // (B, T) int32, or a null view for 0 everywhere
  // The same as a table of whole documents for a library's kernels on sequences of any length; a null view: none. GPU only.
  ConstTensorView documents_4E;
};

// A table for up to E - 1 documents in all sequences together. E is a multiple of this.
inline constexpr std::int64_t kDocumentTableUnit = 32;
//   documents_4E  (4, E) int32   = ; lengths, then where the documents start in q, in k, and in rows of scores, counted in
//                                elements; unused places have length 0
//   first_key_BT  (B, T) int32   the first row of each row's own document
// GPU only.  REQUIRES: fewer than E documents; B T H C below 2^31.
void attention_documents(const OpContext& ctx, const AttentionDims& dims, TensorView documents_4E,
                         ConstTensorView first_key_BT);

// Makes what attention of these dims needs beforehand (plans of a library), so that no step has to: for `table_rows` = E, or
// 0 for rows without documents. Says which kernels will run: "cuDNN 9.14.0", or "own kernels" and why. Of the workspace only the
// size counts. Any thread may call it; attention itself waits for what another thread is preparing. GPU only.
std::string attention_prepare(const OpContext& ctx, const AttentionDims& dims, DType dtype,
                              std::int64_t table_rows);

// All plans so far as text for a file, when some of them were compiled since the last call; empty otherwise, and while another
// thread makes plans. Given back in another run, before its first attention_prepare(), they need no compiling, which takes
// seconds. A damaged text, or one of another GPU or library, changes nothing. GPU only.
std::string new_attention_plans(CudaDevice& device);
void use_attention_plans(CudaDevice& device, std::string text);

// Workspace that the kernels of attention_prepare() may use.
std::int64_t attention_workspace_bytes(const AttentionDims& dims, DType dtype, bool deterministic);

//   o_BTHC        (B, T, H, C) float32   =
//   lse_BHT       (B, H, T) float32      = ; log-sum-exp of the scaled scores, for backward. With a table of documents the
//                                        order inside is (B, T, H) where the library takes it.
//   q_BTHC        (B, T, H, C) float32
//   k_BSGC, v_BSGC (B, S, G, C) float32
// o = softmax(q k^T / sqrt(C) + mask) v. Deterministic; the bits do not depend on threads.
// The caches of decoding may be larger than S rows: pass views of exactly S rows per sequence (B = 1).
void attention_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC, TensorView lse_BHT,
                       ConstTensorView q_BTHC, ConstTensorView k_BSGC, ConstTensorView v_BSGC,
                       const AttentionMask& mask);

// Everything backward reads and writes. dq, dk, dv are overwritten (=). REQUIRES: query_offset == 0, S == T.
struct AttentionBackward {
  TensorView dq_BTHC, dk_BSGC, dv_BSGC;
  TensorView delta_BHT;  // scratch, float32: sum_C(do * o)
  ConstTensorView do_BTHC, q_BTHC, k_BSGC, v_BSGC, o_BTHC, lse_BHT;
  AttentionMask mask;  // the forward's
};
void attention_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args);

}  // namespace cairn::ops
