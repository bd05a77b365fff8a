#include "ops/op_check.h"

#include <vector>

#include <gtest/gtest.h>

namespace cairn::ops {
namespace {

TEST(OpCheck, NamesOpArgumentExpectedAndFound) {
  std::vector<float> data(6);
  const ConstTensorView view = make_const_view<float>(data, Shape{2, 3});
  check_view("op: x", view, Shape{2, 3}, DType::kFloat32);
  EXPECT_DEATH(check_view("op: x", view, Shape{3, 2}, DType::kFloat32),
               "op: x: expected shape \\[3, 2\\], got \\[2, 3\\]");
  EXPECT_DEATH(check_view("op: x", view, Shape{2, 3}, DType::kInt32), "op: x: expected dtype I32, got F32");
  EXPECT_DEATH(check_rank("op: x", view, 1), "op: x: expected rank 1, got shape \\[2, 3\\]");
  EXPECT_DEATH(
      check_view("op: x", ConstTensorView(nullptr, Shape{2}, DType::kFloat32), Shape{2}, DType::kFloat32),
      "op: x: no memory");
  EXPECT_DEATH(
      check_on_cpu("op", ConstTensorView(view.bytes(), Shape{2}, DType::kFloat32, DeviceKind::kCuda)),
      "op: built without CUDA");
}

}  // namespace
}  // namespace cairn::ops
