// The CPU body of attention. Arguments as in attention.h, already checked.
#pragma once

#include <cstdint>

#include "ops/attention.h"

namespace cairn::ops {

// Channels per head that the planned scratch holds.
inline constexpr std::int64_t kAttentionChannelsMax = 256;

}  // namespace cairn::ops

namespace cairn::ops::cpu {

// Bytes of scratch that one thread needs, a multiple of kTensorAlignment.
std::int64_t attention_scratch_bytes();

void attention_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC, TensorView lse_BHT,
                       ConstTensorView q_BTHC, ConstTensorView k_BSGC, ConstTensorView v_BSGC,
                       ConstTensorView first_key_BT);
void attention_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args);

}  // namespace cairn::ops::cpu

namespace cairn::ops::cuda {

void attention_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC, TensorView lse_BHT,
                       ConstTensorView q_BTHC, ConstTensorView k_BSGC, ConstTensorView v_BSGC,
                       const AttentionMask& mask);
void attention_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args);
void attention_documents(const OpContext& ctx, const AttentionDims& dims, TensorView documents_4E,
                         ConstTensorView first_key_BT);
std::string attention_prepare(const OpContext& ctx, const AttentionDims& dims, DType dtype,
                              std::int64_t table_rows);
std::string new_attention_plans(CudaDevice& device);
void use_attention_plans(CudaDevice& device, std::string text);

// The part on tensor cores (attention_mma_cuda.cu): what it takes, and its kernels; backward reads delta_BHT.
bool attention_mma_takes(const AttentionDims& dims, DType dtype);
void attention_mma_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC,
                           TensorView lse_BHT, ConstTensorView q_BTHC, ConstTensorView k_BSGC,
                           ConstTensorView v_BSGC, ConstTensorView first_key_BT);
void attention_mma_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args);

}  // namespace cairn::ops::cuda
