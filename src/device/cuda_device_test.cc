#include "device/cuda_device.h"

#include <gtest/gtest.h>

#include "device/memory.h"

namespace cairn {
namespace {

TEST(CudaDevice, SaysByNameWhyItCannotBeOpened) {
  const auto device = CudaDevice::open(1000);
  ASSERT_FALSE(device.ok());
  EXPECT_EQ(device.status().code(), StatusCode::kBadConfig);
  EXPECT_NE(device.status().message().find("CUDA"), std::string::npos) << device.status().message();
}

TEST(CudaDevice, MemoryOfAPlanGoesThereAndBack) {
  if (CudaDevice::count() == 0) {
    GTEST_SKIP() << "no GPU";
  }
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().message();
  Plan plan;
  const TensorId weight = plan.add({"weight", Shape{1000}, DType::kFloat32, Lifetime::kParameter});
  const TensorId batch = plan.add({"batch", Shape{3}, DType::kInt32, Lifetime::kIo});
  plan.seal(1);
  const auto memory = Memory::create_on(**device, plan);
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  EXPECT_EQ(memory->view(weight).device(), DeviceKind::kCuda);
  EXPECT_EQ(memory->view(batch).device(), DeviceKind::kCpu);
  memory->view(batch).data<std::int32_t>()[2] = 7;
  const auto mirror = Memory::create_mirror(plan, {Lifetime::kParameter});
  ASSERT_TRUE(mirror.ok());
  mirror->view(weight).data<float>()[999] = 2.5F;
  ASSERT_TRUE(memory->upload(Lifetime::kParameter, *mirror).ok());
  mirror->view(weight).data<float>()[999] = 0.0F;
  ASSERT_TRUE(memory->download(Lifetime::kParameter, *mirror).ok());
  EXPECT_EQ(mirror->view(weight).data<float>()[999], 2.5F);
  EXPECT_EQ(mirror->view(weight).data<float>()[0], 0.0F);
}

TEST(CudaDevice, AnErrorIsToldOnceWithItsLayer) {
  if (CudaDevice::count() == 0) {
    GTEST_SKIP() << "no GPU";
  }
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().message();
  std::byte host[4] = {};
  (*device)->set_layer(3);
  (*device)->copy_to_host(host, nullptr, sizeof(host));
  (*device)->set_layer(CudaDevice::kNoLayer);
  const Status status = (*device)->synchronize();
  EXPECT_EQ(status.code(), StatusCode::kNodeSuspect);
  EXPECT_NE(status.message().find("layer 3, "), std::string::npos) << status.message();
  EXPECT_TRUE((*device)->synchronize().ok());
}

}  // namespace
}  // namespace cairn
