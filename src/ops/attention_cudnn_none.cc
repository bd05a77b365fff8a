// Attention in a program that was built without cuDNN's front end.
#include "base/check.h"
#include "ops/attention_cudnn.h"

namespace cairn::ops::cuda {

Result<std::string> cudnn_attention_prepare(const OpContext& /*ctx*/, const CudnnAttentionShape& /*shape*/) {
  return bad_config("built without the cuDNN front end (scripts/setup build)");
}

std::string new_cudnn_attention_plans(CudaDevice& /*device*/) {
  return {};
}

void use_cudnn_attention_plans(CudaDevice& /*device*/, std::string /*text*/) {}

void cudnn_attention_forward(const OpContext& /*ctx*/, const CudnnAttentionShape& /*shape*/,
                             TensorView /*o_BTHC*/, TensorView /*lse_BHT*/, ConstTensorView /*q_BTHC*/,
                             ConstTensorView /*k_BSGC*/, ConstTensorView /*v_BSGC*/,
                             ConstTensorView /*documents_4E*/) {
  CHECK(false, "built without the cuDNN front end");
}

void cudnn_attention_backward(const OpContext& /*ctx*/, const CudnnAttentionShape& /*shape*/,
                              const AttentionBackward& /*args*/) {
  CHECK(false, "built without the cuDNN front end");
}

}  // namespace cairn::ops::cuda
