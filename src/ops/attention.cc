#include "ops/attention.h"

#include "ops/attention_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {

namespace {

void check_dims(const AttentionDims& dims) {
  CHECK(dims.B >= 0 && dims.T >= 0 && dims.H >= 1 && dims.G >= 1 && dims.H % dims.G == 0,
        "attention: query heads are a multiple of key/value heads");
  CHECK(dims.C >= 1 && dims.C <= cpu::kAttentionChannelsMax, "attention: 1 to 256 channels per head");
  CHECK(dims.query_offset >= 0 && dims.query_offset + dims.T <= dims.S,
        "attention: every query row has a key row");
}

void check_first_key(const AttentionDims& dims, const ConstTensorView& first_key_BT) {
  if (!first_key_BT.is_null()) {
    check_view("attention: first_key_BT", first_key_BT, {dims.B, dims.T}, DType::kInt32);
  }
}

}  // namespace

void attention_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC, TensorView lse_BHT,
                       ConstTensorView q_BTHC, ConstTensorView k_BSGC, ConstTensorView v_BSGC,
                       ConstTensorView first_key_BT) {
  check_dims(dims);
  const Shape shape_q{dims.B, dims.T, dims.H, dims.C};
  const Shape shape_k{dims.B, dims.S, dims.G, dims.C};
  check_on_cpu("attention_forward", q_BTHC);
  check_view("attention_forward: o_BTHC", o_BTHC, shape_q, DType::kFloat32);
  check_view("attention_forward: lse_BHT", lse_BHT, {dims.B, dims.H, dims.T}, DType::kFloat32);
  check_view("attention_forward: q_BTHC", q_BTHC, shape_q, DType::kFloat32);
  check_view("attention_forward: k_BSGC", k_BSGC, shape_k, DType::kFloat32);
  check_view("attention_forward: v_BSGC", v_BSGC, shape_k, DType::kFloat32);
  check_first_key(dims, first_key_BT);
  cpu::attention_forward(ctx, dims, o_BTHC, lse_BHT, q_BTHC, k_BSGC, v_BSGC, first_key_BT);
}

void attention_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args) {
  check_dims(dims);
  CHECK(dims.query_offset == 0 && dims.S == dims.T, "attention_backward: training has no cached keys");
  const Shape shape_q{dims.B, dims.T, dims.H, dims.C};
  const Shape shape_k{dims.B, dims.S, dims.G, dims.C};
  const Shape shape_row{dims.B, dims.H, dims.T};
  check_on_cpu("attention_backward", args.q_BTHC);
  check_view("attention_backward: dq_BTHC", args.dq_BTHC, shape_q, DType::kFloat32);
  check_view("attention_backward: dk_BSGC", args.dk_BSGC, shape_k, DType::kFloat32);
  check_view("attention_backward: dv_BSGC", args.dv_BSGC, shape_k, DType::kFloat32);
  check_view("attention_backward: delta_BHT", args.delta_BHT, shape_row, DType::kFloat32);
  check_view("attention_backward: do_BTHC", args.do_BTHC, shape_q, DType::kFloat32);
  check_view("attention_backward: q_BTHC", args.q_BTHC, shape_q, DType::kFloat32);
  check_view("attention_backward: k_BSGC", args.k_BSGC, shape_k, DType::kFloat32);
  check_view("attention_backward: v_BSGC", args.v_BSGC, shape_k, DType::kFloat32);
  check_view("attention_backward: o_BTHC", args.o_BTHC, shape_q, DType::kFloat32);
  check_view("attention_backward: lse_BHT", args.lse_BHT, shape_row, DType::kFloat32);
  check_first_key(dims, args.first_key_BT);
  cpu::attention_backward(ctx, dims, args);
}

}  // namespace cairn::ops
