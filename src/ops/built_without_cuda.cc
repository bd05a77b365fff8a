// The GPU bodies of all ops in a program built without CUDA. No tensor of such a program lies on a GPU, so that
// reaching one of them is a bug.
#include <string>

#include "base/check.h"
#include "ops/activation_backends.h"
#include "ops/attention_backends.h"
#include "ops/cross_entropy_backends.h"
#include "ops/elementwise_backends.h"
#include "ops/embedding_backends.h"
#include "ops/fill_backends.h"
#include "ops/fp8_backends.h"
#include "ops/gemm_backends.h"
#include "ops/norm_rope_backends.h"
#include "ops/rms_norm_backends.h"
#include "ops/rope_backends.h"

namespace cairn::ops::cuda {
namespace {

void built_without_cuda(const char* op) {
  CHECK(false, std::string(op) + ": built without CUDA");
}

}  // namespace

void xielu_forward(const OpContext& /*ctx*/, TensorView /*y_NF*/, ConstTensorView /*x_NF*/,
                   ConstTensorView /*a_p*/, ConstTensorView /*a_n*/, XieluConstants /*constants*/) {
  built_without_cuda("xielu_forward");
}
void xielu_backward(const OpContext& /*ctx*/, const XieluBackward& /*args*/) {
  built_without_cuda("xielu_backward");
}
void swiglu_forward(const OpContext& /*ctx*/, TensorView /*y_NF*/, ConstTensorView /*gate_NF*/,
                    ConstTensorView /*up_NF*/) {
  built_without_cuda("swiglu_forward");
}
void swiglu_backward(const OpContext& /*ctx*/, TensorView /*dgate_NF*/, TensorView /*dup_NF*/,
                     ConstTensorView /*dy_NF*/, ConstTensorView /*gate_NF*/, ConstTensorView /*up_NF*/) {
  built_without_cuda("swiglu_backward");
}
void attention_forward(const OpContext& /*ctx*/, const AttentionDims& /*dims*/, TensorView /*o_BTHC*/,
                       TensorView /*lse_BHT*/, ConstTensorView /*q_BTHC*/, ConstTensorView /*k_BSGC*/,
                       ConstTensorView /*v_BSGC*/, const AttentionMask& /*mask*/) {
  built_without_cuda("attention_forward");
}
void attention_documents(const OpContext& /*ctx*/, const AttentionDims& /*dims*/, TensorView /*documents_4E*/,
                         ConstTensorView /*first_key_BT*/) {
  built_without_cuda("attention_documents");
}
std::string attention_prepare(const OpContext& /*ctx*/, const AttentionDims& /*dims*/, DType /*dtype*/,
                              std::int64_t /*table_rows*/) {
  built_without_cuda("attention_prepare");
  return {};
}
std::string new_attention_plans(CudaDevice& /*device*/) {
  return {};
}
void use_attention_plans(CudaDevice& /*device*/, std::string /*text*/) {}
void attention_backward(const OpContext& /*ctx*/, const AttentionDims& /*dims*/,
                        const AttentionBackward& /*args*/) {
  built_without_cuda("attention_backward");
}
void cross_entropy_forward(const OpContext& /*ctx*/, TensorView /*loss_N*/, TensorView /*lse_N*/,
                           ConstTensorView /*logits_NV*/, ConstTensorView /*targets_N*/,
                           ConstTensorView /*weight_N*/) {
  built_without_cuda("cross_entropy_forward");
}
void cross_entropy_backward(const OpContext& /*ctx*/, TensorView /*dlogits_NV*/,
                            ConstTensorView /*logits_NV*/, ConstTensorView /*lse_N*/,
                            ConstTensorView /*targets_N*/, ConstTensorView /*dloss_N*/) {
  built_without_cuda("cross_entropy_backward");
}
void add(const OpContext& /*ctx*/, TensorView /*y*/, ConstTensorView /*a*/, ConstTensorView /*b*/) {
  built_without_cuda("add");
}
void fill_zero(const OpContext& /*ctx*/, TensorView /*y*/) {
  built_without_cuda("fill_zero");
}
void copy(const OpContext& /*ctx*/, TensorView /*y*/, ConstTensorView /*x*/) {
  built_without_cuda("copy");
}
void cast(const OpContext& /*ctx*/, TensorView /*y*/, ConstTensorView /*x*/) {
  built_without_cuda("cast");
}
void embedding_forward(const OpContext& /*ctx*/, TensorView /*out_ND*/, ConstTensorView /*table_VD*/,
                       ConstTensorView /*ids_N*/) {
  built_without_cuda("embedding_forward");
}
void embedding_backward(const OpContext& /*ctx*/, TensorView /*dtable_VD*/, ConstTensorView /*dout_ND*/,
                        ConstTensorView /*ids_N*/) {
  built_without_cuda("embedding_backward");
}
void fill_constant(const OpContext& /*ctx*/, TensorView /*y*/, float /*value*/) {
  built_without_cuda("fill_constant");
}
void fill_normal(const OpContext& /*ctx*/, TensorView /*y*/, const NormalNumbers& /*numbers*/) {
  built_without_cuda("fill_normal");
}
void linear_forward(const OpContext& /*ctx*/, TensorView /*y_NO*/, ConstTensorView /*x_NI*/,
                    ConstTensorView /*w_OI*/, WriteMode /*mode*/) {
  built_without_cuda("linear_forward");
}
void linear_forward_onto(const OpContext& /*ctx*/, TensorView /*y_NO*/, ConstTensorView /*base_NO*/,
                         ConstTensorView /*x_NI*/, ConstTensorView /*w_OI*/) {
  built_without_cuda("linear_forward_onto");
}
void set_product_tuning(CudaDevice& /*device*/, bool /*is_on*/) {
  built_without_cuda("set_product_tuning");
}
std::string product_choices(CudaDevice& /*device*/) {
  built_without_cuda("product_choices");
  return {};
}
Status use_product_choices(CudaDevice& /*device*/, std::string_view /*text*/) {
  return bad_config("built without CUDA");
}
void linear_backward_input(const OpContext& /*ctx*/, TensorView /*dx_NI*/, ConstTensorView /*dy_NO*/,
                           ConstTensorView /*w_OI*/, WriteMode /*mode*/) {
  built_without_cuda("linear_backward_input");
}
void linear_backward_weight(const OpContext& /*ctx*/, TensorView /*dw_OI*/, ConstTensorView /*dy_NO*/,
                            ConstTensorView /*x_NI*/) {
  built_without_cuda("linear_backward_weight");
}
void rms_norm_forward(const OpContext& /*ctx*/, TensorView /*y_ND*/, TensorView /*rstd_N*/,
                      ConstTensorView /*x_ND*/, ConstTensorView /*weight_D*/, float /*eps*/,
                      TensorView /*amax*/) {
  built_without_cuda("rms_norm_forward");
}
void rms_norm_backward(const OpContext& /*ctx*/, const RmsNormBackward& /*args*/) {
  built_without_cuda("rms_norm_backward");
}
bool norm_rope_takes(std::int64_t /*C*/, DType /*dtype*/) {
  built_without_cuda("norm_rope_takes");
  return false;
}
void norm_rope_forward(const OpContext& /*ctx*/, TensorView /*y_NHC*/, TensorView /*rstd*/,
                       ConstTensorView /*x_NHC*/, ConstTensorView /*weight_C*/, const RopeTables& /*rope*/,
                       float /*eps*/) {
  built_without_cuda("norm_rope_forward");
}
void norm_rope_backward(const OpContext& /*ctx*/, const NormRopeBackward& /*args*/) {
  built_without_cuda("norm_rope_backward");
}
void rope_rotate(const OpContext& /*ctx*/, TensorView /*y_NHC*/, ConstTensorView /*x_NHC*/,
                 ConstTensorView /*positions_N*/, ConstTensorView /*cos_PK*/, ConstTensorView /*sin_PK*/,
                 float /*direction*/) {
  built_without_cuda("rope_rotate");
}

void cross_entropy_forward_backward(const OpContext& /*ctx*/, TensorView /*loss_N*/, TensorView /*logits_NV*/,
                                    ConstTensorView /*targets_N*/, ConstTensorView /*weight_N*/,
                                    ConstTensorView /*dloss_N*/) {
  built_without_cuda("cross_entropy_forward_backward");
}
void argmax_rows(const OpContext& /*ctx*/, TensorView /*predicted_N*/, ConstTensorView /*logits_NV*/) {
  built_without_cuda("argmax_rows");
}

void fp8_round(const OpContext& /*ctx*/, const Fp8Tensor& /*rows*/, const Fp8Tensor& /*columns*/,
               const Fp8Source& /*x*/) {
  built_without_cuda("fp8_round");
}
void fp8_measure(const OpContext& /*ctx*/, TensorView /*amax*/, ConstTensorView /*x_RC*/) {
  built_without_cuda("fp8_measure");
}
void fp8_multiply(const OpContext& /*ctx*/, TensorView /*c_MN*/, ConstTensorView /*base_MN*/,
                  const ConstFp8Tensor& /*a_MK*/, const ConstFp8Tensor& /*b_NK*/, Fp8Sums /*sums*/) {
  built_without_cuda("fp8_multiply");
}

}  // namespace cairn::ops::cuda
