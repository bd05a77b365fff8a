// The CPU body of attention. Arguments as in attention.h, already checked.
#pragma once

#include <cstdint>

#include "ops/attention.h"

namespace cairn::ops::cpu {

// Channels per head that the planned scratch holds.
inline constexpr std::int64_t kAttentionChannelsMax = 256;

// Bytes of scratch that one thread needs, a multiple of kTensorAlignment.
std::int64_t attention_scratch_bytes();

void attention_forward(const OpContext& ctx, const AttentionDims& dims, TensorView o_BTHC, TensorView lse_BHT,
                       ConstTensorView q_BTHC, ConstTensorView k_BSGC, ConstTensorView v_BSGC,
                       ConstTensorView first_key_BT);
void attention_backward(const OpContext& ctx, const AttentionDims& dims, const AttentionBackward& args);

}  // namespace cairn::ops::cpu
