#include "ops/op_check.h"

#include <vector>

#include <gtest/gtest.h>

namespace cairn::ops {
namespace {

TEST(OpCheck, TheCpuComputesInFloat32Alone) {
  std::byte byte{};
  const ConstTensorView on_cpu(&byte, Shape{2}, DType::kBFloat16);
  const ConstTensorView on_gpu(&byte, Shape{2}, DType::kBFloat16, DeviceKind::kCuda);
  EXPECT_DEATH(check_activation("op: x", on_cpu, Shape{2}), "op: x: expected dtype F32, got BF16");
  check_activation("op: x", on_gpu, Shape{2});
  EXPECT_TRUE(is_on_gpu(on_gpu));
  EXPECT_FALSE(is_on_gpu(on_cpu));
}

}  // namespace
}  // namespace cairn::ops
