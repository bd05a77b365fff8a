// Attention by cuDNN's fused kernels in bfloat16. The library is loaded while the program runs and asked for what it can do;
// built without its header-only front end (attention_cudnn_none.cc) it takes nothing. Arguments as in attention.h.
#pragma once

#include <string>

#include "base/status.h"
#include "ops/attention.h"

namespace cairn::ops::cuda {

// What one call of backward with sums in a fixed order covers: it takes a matrix of the scores' gradients, so that it runs for as
// many sequences, or heads of one sequence, at a time as stay below a GiB.
inline std::int64_t fixed_order_score_bytes(const AttentionDims& dims) {
  const std::int64_t padded = (dims.T + 63) / 64 * 64;
  return dims.B * dims.H * padded * padded * 2;
}
inline AttentionDims fixed_order_part(const AttentionDims& dims) {
  constexpr std::int64_t kBytes = std::int64_t{1} << 30;
  AttentionDims part = dims;
  while (part.B > 1 && (dims.B % part.B != 0 || fixed_order_score_bytes(part) > kBytes)) {
    --part.B;
  }
  while (part.G > 1 && (dims.G % part.G != 0 || fixed_order_score_bytes(part) > kBytes)) {
    --part.G;
    part.H = dims.H / dims.G * part.G;
  }
  return part;
}

// What plans are made for.
struct CudnnAttentionShape {
  AttentionDims dims;
  std::int64_t table_rows = 0;  // E of the table of documents; 0: whole sequences
  bool deterministic = true;
};

// "cuDNN 9.14.0" when forward and backward of this shape have a plan that fits the workspace, made now if there is none yet;
// else why not. Any thread may call it and waits where another is making the plan.
Result<std::string> cudnn_attention_prepare(const OpContext& ctx, const CudnnAttentionShape& shape);

// attention.h: new_attention_plans(), use_attention_plans().
std::string new_cudnn_attention_plans(CudaDevice& device);
void use_cudnn_attention_plans(CudaDevice& device, std::string text);

// REQUIRES: cudnn_attention_prepare() is ok for the shape.
void cudnn_attention_forward(const OpContext& ctx, const CudnnAttentionShape& shape, TensorView o_BTHC,
                             TensorView lse_BHT, ConstTensorView q_BTHC, ConstTensorView k_BSGC,
                             ConstTensorView v_BSGC, ConstTensorView documents_4E);
void cudnn_attention_backward(const OpContext& ctx, const CudnnAttentionShape& shape,
                              const AttentionBackward& args);

}  // namespace cairn::ops::cuda
