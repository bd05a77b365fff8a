#include "ops/attention.h"

#include <utility>

#include "ops/attention_backends.h"
#include "ops/attention_cudnn.h"
#include "ops/op_check.h"

namespace cairn::ops {

namespace {

void check_dims(const AttentionDims& dims) {
  CHECK(dims.B >= 0 && dims.T >= 0 && dims.H >= 1 && dims.G >= 1 && dims.H % dims.G == 0,
        "attention: query heads are a multiple of key/value heads");
  CHECK(dims.C >= 1 && dims.C <= kAttentionChannelsMax, "attention: 1 to 256 channels per head");
  CHECK(dims.query_offset >= 0 && dims.query_offset + dims.T <= dims.S,
        "attention: every query row has a key row");
}

void check_documents(const ConstTensorView& documents_4E) {
  check_rank("attention: documents_4E", documents_4E, 2);
  const std::int64_t E = documents_4E.dim(1);
  CHECK(E > 0 && E % kDocumentTableUnit == 0, "attention: columns of a table of documents");
  check_view("attention: documents_4E", documents_4E, {4, E}, DType::kInt32);
  CHECK(is_on_gpu(documents_4E), "attention: tables of documents are for a GPU");
}

void check_mask(const AttentionDims& dims, const AttentionMask& mask) {
  if (!mask.first_key_BT.is_null()) {
    check_view("attention: first_key_BT", mask.first_key_BT, {dims.B, dims.T}, DType::kInt32);
  }
  if (!mask.documents_4E.is_null()) {
    CHECK(!mask.first_key_BT.is_null(), "attention: a table of documents comes with first_key_BT");
    check_documents(mask.documents_4E);
  }
}

// What cuDNN's kernels were seen to ask for, rounded up: gradients of queries, and of keys and values per query head, in float32,
// and row sums; for sums in a fixed order a matrix of scores, up to a limit beyond which our own kernels run.
std::int64_t workspace_bound(const AttentionDims& dims, DType dtype, bool deterministic) {
  constexpr std::int64_t kScoreBytesMax = std::int64_t{4} << 30;
  if (dtype != DType::kBFloat16) {
    return 0;
  }
  const std::int64_t heads_bytes = dims.H * (12 * dims.C + 64);
  if (!deterministic) {
    return dims.B * dims.T * heads_bytes;
  }
  const AttentionDims part = cuda::fixed_order_part(dims);
  const std::int64_t scores = cuda::fixed_order_score_bytes(part);
  return scores <= kScoreBytesMax ? scores + part.B * dims.T * heads_bytes : 0;
}

}  // namespace

void attention_documents(const OpContext& ctx, const AttentionDims& dims, TensorView documents_4E,
                         ConstTensorView first_key_BT) {
  check_dims(dims);
  check_documents(documents_4E);
  check_view("attention_documents: first_key_BT", first_key_BT, {dims.B, dims.T}, DType::kInt32);
  cuda::attention_documents(ctx, dims, documents_4E, first_key_BT);
}

std::string attention_prepare(const OpContext& ctx, const AttentionDims& dims, DType dtype,
                              std::int64_t table_rows) {
  check_dims(dims);
  return cuda::attention_prepare(ctx, dims, dtype, table_rows);
}

std::string new_attention_plans(CudaDevice& device) {
  return cuda::new_attention_plans(device);
}

void use_attention_plans(CudaDevice& device, std::string text) {
  cuda::use_attention_plans(device, std::move(text));
}

std::int64_t attention_workspace_bytes(const AttentionDims& dims, DType dtype, bool deterministic) {
  check_dims(dims);
  return workspace_bound(dims, dtype, deterministic);
}

void attention_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC, TensorView lse_BHT,
                       ConstTensorView q_BTHC, ConstTensorView k_BSGC, ConstTensorView v_BSGC,
                       const AttentionMask& mask) {
  check_dims(dims);
  const Shape shape_q{dims.B, dims.T, dims.H, dims.C};
  const Shape shape_k{dims.B, dims.S, dims.G, dims.C};
  check_activation("attention_forward: o_BTHC", o_BTHC, shape_q);
  check_view("attention_forward: lse_BHT", lse_BHT, {dims.B, dims.H, dims.T}, DType::kFloat32);
  check_activation("attention_forward: q_BTHC", q_BTHC, shape_q);
  check_activation("attention_forward: k_BSGC", k_BSGC, shape_k);
  check_activation("attention_forward: v_BSGC", v_BSGC, shape_k);
  check_mask(dims, mask);
  if (is_on_gpu(o_BTHC)) {
    cuda::attention_forward(ctx, dims, o_BTHC, lse_BHT, q_BTHC, k_BSGC, v_BSGC, mask);
    return;
  }
  cpu::attention_forward(ctx, dims, o_BTHC, lse_BHT, q_BTHC, k_BSGC, v_BSGC, mask.first_key_BT);
}

void attention_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args) {
  check_dims(dims);
  CHECK(dims.query_offset == 0 && dims.S == dims.T, "attention_backward: training has no cached keys");
  const Shape shape_q{dims.B, dims.T, dims.H, dims.C};
  const Shape shape_k{dims.B, dims.S, dims.G, dims.C};
  const Shape shape_row{dims.B, dims.H, dims.T};
  check_activation("attention_backward: dq_BTHC", args.dq_BTHC, shape_q);
  check_activation("attention_backward: dk_BSGC", args.dk_BSGC, shape_k);
  check_activation("attention_backward: dv_BSGC", args.dv_BSGC, shape_k);
  check_view("attention_backward: delta_BHT", args.delta_BHT, shape_row, DType::kFloat32);
  check_activation("attention_backward: do_BTHC", args.do_BTHC, shape_q);
  check_activation("attention_backward: q_BTHC", args.q_BTHC, shape_q);
  check_activation("attention_backward: k_BSGC", args.k_BSGC, shape_k);
  check_activation("attention_backward: v_BSGC", args.v_BSGC, shape_k);
  check_activation("attention_backward: o_BTHC", args.o_BTHC, shape_q);
  check_view("attention_backward: lse_BHT", args.lse_BHT, shape_row, DType::kFloat32);
  check_mask(dims, args.mask);
  if (is_on_gpu(args.q_BTHC)) {
    cuda::attention_backward(ctx, dims, args);
    return;
  }
  cpu::attention_backward(ctx, dims, args);
}

}  // namespace cairn::ops
