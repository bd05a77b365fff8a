#include "ops/activation.h"

#include "ops/activation_backends.h"
#include "ops/op_check.h"

namespace cairn::ops {
namespace {

void check_xielu(const ConstTensorView& x_NF, const ConstTensorView& a_p, const ConstTensorView& a_n,
                 XieluConstants constants) {
  check_rank("xielu: x_NF", x_NF, 2);
  check_activation("xielu: x_NF", x_NF, x_NF.shape());
  check_view("xielu: a_p", a_p, Shape{1}, DType::kFloat32);
  check_view("xielu: a_n", a_n, Shape{1}, DType::kFloat32);
  CHECK(constants.eps <= 0.0F, "xielu: eps is positive");
}

}  // namespace

void xielu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView x_NF, ConstTensorView a_p,
                   ConstTensorView a_n, XieluConstants constants) {
  check_xielu(x_NF, a_p, a_n, constants);
  check_activation("xielu_forward: y_NF", y_NF, x_NF.shape());
  if (is_on_gpu(x_NF)) {
    cuda::xielu_forward(ctx, y_NF, x_NF, a_p, a_n, constants);
    return;
  }
  cpu::xielu_forward(ctx, y_NF, x_NF, a_p, a_n, constants);
}

void xielu_backward(const OpContext& ctx, const XieluBackward& args) {
  check_xielu(args.x_NF, args.a_p, args.a_n, args.constants);
  check_activation("xielu_backward: dx_NF", args.dx_NF, args.x_NF.shape());
  check_view("xielu_backward: da_p", args.da_p, Shape{1}, DType::kFloat32);
  check_view("xielu_backward: da_n", args.da_n, Shape{1}, DType::kFloat32);
  check_activation("xielu_backward: dy_NF", args.dy_NF, args.x_NF.shape());
  check_amax("xielu_backward: amax", args.amax, args.dx_NF);
  if (is_on_gpu(args.x_NF)) {
    cuda::xielu_backward(ctx, args);
    return;
  }
  // The scalars' gradients first: dx may take the place of dy.
  cpu::xielu_backward_weight(ctx, args.da_p, args.da_n, args.dy_NF, args.x_NF, args.a_p, args.a_n,
                             args.constants);
  cpu::xielu_backward_input(ctx, args.dx_NF, args.dy_NF, args.x_NF, args.a_p, args.a_n, args.constants);
}

void swiglu_forward(const OpContext& ctx, TensorView y_NF, ConstTensorView gate_NF, ConstTensorView up_NF) {
  check_rank("swiglu_forward: gate_NF", gate_NF, 2);
  check_activation("swiglu_forward: y_NF", y_NF, gate_NF.shape());
  check_activation("swiglu_forward: gate_NF", gate_NF, gate_NF.shape());
  check_activation("swiglu_forward: up_NF", up_NF, gate_NF.shape());
  if (is_on_gpu(y_NF)) {
    cuda::swiglu_forward(ctx, y_NF, gate_NF, up_NF);
    return;
  }
  cpu::swiglu_forward(ctx, y_NF, gate_NF, up_NF);
}

void swiglu_backward(const OpContext& ctx, TensorView dgate_NF, TensorView dup_NF, ConstTensorView dy_NF,
                     ConstTensorView gate_NF, ConstTensorView up_NF) {
  check_rank("swiglu_backward: gate_NF", gate_NF, 2);
  const Shape& shape = gate_NF.shape();
  check_activation("swiglu_backward: dgate_NF", dgate_NF, shape);
  check_activation("swiglu_backward: dup_NF", dup_NF, shape);
  check_activation("swiglu_backward: dy_NF", dy_NF, shape);
  check_activation("swiglu_backward: gate_NF", gate_NF, shape);
  check_activation("swiglu_backward: up_NF", up_NF, shape);
  CHECK(dgate_NF.bytes() != dup_NF.bytes() || shape.num_elements() == 0,
        "swiglu_backward: dgate and dup are one buffer");
  if (is_on_gpu(dy_NF)) {
    cuda::swiglu_backward(ctx, dgate_NF, dup_NF, dy_NF, gate_NF, up_NF);
    return;
  }
  cpu::swiglu_backward(ctx, dgate_NF, dup_NF, dy_NF, gate_NF, up_NF);
}

}  // namespace cairn::ops
