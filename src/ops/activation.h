// The activations of the feed-forward blocks: xIELU (Huang & Schlag 2024, arXiv:2411.13010) without a gate, and
// SiLU with a gate (SwiGLU, Shazeer 2020, arXiv:2002.05202).
#pragma once

#include "ops/op_context.h"

namespace cairn::ops {

// alpha_p = softplus(a_p), alpha_n = beta + softplus(a_n); the stored scalars are a_p and a_n.
//   x > 0:  y = alpha_p x^2 + beta x
//   x <= 0: y = alpha_n (expm1(min(x, eps)) - x) + beta x
// beta and eps are the model's constants (0.5 and -1e-6, held as bfloat16 in Apertus).
struct XieluConstants {
  float beta = 0.5F;
  float eps = -1e-6F;
};

//   y_NF          (N, F) float32   = ; may alias x
//   x_NF          (N, F) float32
//   a_p, a_n      (1) float32      stored scalars, before softplus
void xielu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView x_NF, ConstTensorView a_p,
                   ConstTensorView a_n, XieluConstants constants);

// Everything backward reads and writes.
struct XieluBackward {
  TensorView dx_NF;             // (N, F) float32, = ; may alias dy
  TensorView da_p, da_n;        // (1) float32, += ; summed in fixed chunks in order, in double
  ConstTensorView dy_NF, x_NF;  // (N, F) float32
  ConstTensorView a_p, a_n;     // (1) float32
  XieluConstants constants;
  TensorView amax{};  // (1) float32, = the largest |dx|, or a null view; on a GPU only
};
void xielu_backward(const OpContext& ctx, const XieluBackward& args);

// y = silu(gate) * up.   All (N, F) float32; y = ; y may alias up.
void swiglu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView gate_NF, ConstTensorView up_NF);

// dgate and dup = ; dgate may alias gate's buffer only if up and dy are other buffers; dup may alias dy.
void swiglu_backward(const OpContext& ctx, TensorView dgate_NF, TensorView dup_NF, ConstTensorView dy_NF,
                     ConstTensorView gate_NF, ConstTensorView up_NF);

}  // namespace cairn::ops
