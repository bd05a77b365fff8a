// The judge of every back end: each operation of src/ops in double, as the formula reads, in simple loops that
// are never optimised. Vectors are dense, row-major, and laid out as the tensors of the header of the same op.
// Everything here allocates; outputs are returned (=), except where "adds" is said.
#pragma once

#include <cstdint>
#include <vector>

namespace cairn::reference {

using Vector = std::vector<double>;
using Indices = std::vector<std::int32_t>;

// y_NO = x_NI w_OI^T and its derivatives.
Vector linear_forward(const Vector& x_NI, const Vector& w_OI, std::int64_t N, std::int64_t I, std::int64_t O);
Vector linear_backward_input(const Vector& dy_NO, const Vector& w_OI, std::int64_t N, std::int64_t I,
                             std::int64_t O);
Vector linear_backward_weight(const Vector& dy_NO, const Vector& x_NI, std::int64_t N, std::int64_t I,
                              std::int64_t O);

Vector embedding_forward(const Vector& table_VD, const Indices& ids_N, std::int64_t D);
Vector embedding_backward(const Vector& dout_ND, const Indices& ids_N, std::int64_t V, std::int64_t D);

// D is the last dim of x; rows are what remains.
struct RmsNormGradients {
  Vector dx, dweight;
};
Vector rms_norm_forward(const Vector& x_ND, const Vector& weight_D, double eps);
RmsNormGradients rms_norm_backward(const Vector& dy_ND, const Vector& x_ND, const Vector& weight_D,
                                   double eps);

// positions one per row; inverse_frequency has C/2 entries. direction +1 forward, -1 backward.
Vector rope(const Vector& x_NHC, const Indices& positions_N, const Vector& inverse_frequency_K,
            std::int64_t H, int direction);

struct Xielu {
  double a_p = 0.0, a_n = 0.0;  // stored scalars, before softplus
  double beta = 0.5, eps = -1e-6;
};
struct XieluGradients {
  Vector dx;
  double da_p = 0.0, da_n = 0.0;
};
Vector xielu_forward(const Vector& x, const Xielu& xielu);
XieluGradients xielu_backward(const Vector& dy, const Vector& x, const Xielu& xielu);

struct SwigluGradients {
  Vector dgate, dup;
};
Vector swiglu_forward(const Vector& gate, const Vector& up);
SwigluGradients swiglu_backward(const Vector& dy, const Vector& gate, const Vector& up);

// B sequences, T query rows, S key rows, H query heads, G key/value heads, C channels; query row t stands at key
// row query_offset + t and sees first_key[b, t] <= s <= query_offset + t. first_key empty: 0 everywhere.
struct AttentionShape {
  std::int64_t B = 0, T = 0, S = 0, H = 0, G = 0, C = 0, query_offset = 0;
};
struct AttentionOutput {
  Vector o_BTHC, lse_BHT;
};
struct AttentionGradients {
  Vector dq_BTHC, dk_BSGC, dv_BSGC;
};
AttentionOutput attention_forward(const AttentionShape& shape, const Vector& q_BTHC, const Vector& k_BSGC,
                                  const Vector& v_BSGC, const Indices& first_key_BT);
AttentionGradients attention_backward(const AttentionShape& shape, const Vector& do_BTHC,
                                      const Vector& q_BTHC, const Vector& k_BSGC, const Vector& v_BSGC,
                                      const Indices& first_key_BT);

// loss_N[n] = -log softmax(logits)[target], 0 where weight is 0.
struct CrossEntropyOutput {
  Vector loss_N, lse_N;
};
CrossEntropyOutput cross_entropy_forward(const Vector& logits_NV, const Indices& targets_N,
                                         const Vector& weight_N);
Vector cross_entropy_backward(const Vector& logits_NV, const Indices& targets_N, const Vector& dloss_N);

Vector add(const Vector& a, const Vector& b);

}  // namespace cairn::reference
