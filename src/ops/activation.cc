#include "ops/activation.h"

#include <string_view>

#include "ops/activation_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {
namespace {

void check_xielu(std::string_view op, const ConstTensorView& x_NF, const ConstTensorView& a_p,
                 const ConstTensorView& a_n, XieluConstants constants) {
  check_rank("xielu: x_NF", x_NF, 2);
  check_view("xielu: x_NF", x_NF, x_NF.shape(), DType::kFloat32);
  check_view("xielu: a_p", a_p, Shape{1}, DType::kFloat32);
  check_view("xielu: a_n", a_n, Shape{1}, DType::kFloat32);
  CHECK(constants.eps <= 0.0F, "xielu: eps is positive");
  check_on_cpu(op, x_NF);
}

}  // namespace

void xielu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView x_NF, ConstTensorView a_p,
                   ConstTensorView a_n, XieluConstants constants) {
  check_xielu("xielu_forward", x_NF, a_p, a_n, constants);
  check_view("xielu_forward: y_NF", y_NF, x_NF.shape(), DType::kFloat32);
  cpu::xielu_forward(ctx, y_NF, x_NF, a_p, a_n, constants);
}

void xielu_backward_input(const OpContext& ctx, TensorView dx_NF, ConstTensorView dy_NF, ConstTensorView x_NF,
                          ConstTensorView a_p, ConstTensorView a_n, XieluConstants constants) {
  check_xielu("xielu_backward_input", x_NF, a_p, a_n, constants);
  check_view("xielu_backward_input: dx_NF", dx_NF, x_NF.shape(), DType::kFloat32);
  check_view("xielu_backward_input: dy_NF", dy_NF, x_NF.shape(), DType::kFloat32);
  cpu::xielu_backward_input(ctx, dx_NF, dy_NF, x_NF, a_p, a_n, constants);
}

void xielu_backward_weight(const OpContext& ctx, TensorView da_p, TensorView da_n, ConstTensorView dy_NF,
                           ConstTensorView x_NF, ConstTensorView a_p, ConstTensorView a_n,
                           XieluConstants constants) {
  check_xielu("xielu_backward_weight", x_NF, a_p, a_n, constants);
  check_view("xielu_backward_weight: da_p", da_p, Shape{1}, DType::kFloat32);
  check_view("xielu_backward_weight: da_n", da_n, Shape{1}, DType::kFloat32);
  check_view("xielu_backward_weight: dy_NF", dy_NF, x_NF.shape(), DType::kFloat32);
  cpu::xielu_backward_weight(ctx, da_p, da_n, dy_NF, x_NF, a_p, a_n, constants);
}

void swiglu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView gate_NF, ConstTensorView up_NF) {
  check_rank("swiglu_forward: gate_NF", gate_NF, 2);
  check_view("swiglu_forward: y_NF", y_NF, gate_NF.shape(), DType::kFloat32);
  check_view("swiglu_forward: gate_NF", gate_NF, gate_NF.shape(), DType::kFloat32);
  check_view("swiglu_forward: up_NF", up_NF, gate_NF.shape(), DType::kFloat32);
  check_on_cpu("swiglu_forward", y_NF);
  cpu::swiglu_forward(ctx, y_NF, gate_NF, up_NF);
}

void swiglu_backward(const OpContext& ctx, TensorView dgate_NF, TensorView dup_NF, ConstTensorView dy_NF,
                     ConstTensorView gate_NF, ConstTensorView up_NF) {
  check_rank("swiglu_backward: gate_NF", gate_NF, 2);
  const Shape& shape = gate_NF.shape();
  check_view("swiglu_backward: dgate_NF", dgate_NF, shape, DType::kFloat32);
  check_view("swiglu_backward: dup_NF", dup_NF, shape, DType::kFloat32);
  check_view("swiglu_backward: dy_NF", dy_NF, shape, DType::kFloat32);
  check_view("swiglu_backward: gate_NF", gate_NF, shape, DType::kFloat32);
  check_view("swiglu_backward: up_NF", up_NF, shape, DType::kFloat32);
  CHECK(dgate_NF.bytes() != dup_NF.bytes() || shape.num_elements() == 0,
        "swiglu_backward: dgate and dup are one buffer");
  check_on_cpu("swiglu_backward", dgate_NF);
  cpu::swiglu_backward(ctx, dgate_NF, dup_NF, dy_NF, gate_NF, up_NF);
}

}  // namespace cairn::ops
