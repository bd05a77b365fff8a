#include "device/cuda_stream.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "device/memory.h"

namespace cairn {
namespace {

// There by one stream and back by another, ordered by events alone.
TEST(CudaStream, EventsOrderCopiesOfTwoStreams) {
  if (CudaDevice::count() == 0) {
    GTEST_SKIP() << "no GPU";
  }
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().message();
  constexpr std::int64_t kBytes = std::int64_t{64} << 20;
  const auto on_gpu = Arena::create_on(**device, kBytes, DeviceKind::kCuda);
  const auto pinned = Arena::create_on(**device, 2 * kBytes, DeviceKind::kCpu);
  ASSERT_TRUE(on_gpu.ok() && pinned.ok());
  ASSERT_TRUE((*device)->synchronize().ok());
  auto in = CudaStream::create(**device);
  auto out = CudaStream::create(**device);
  auto arrived = CudaEvent::create(**device);
  auto returned = CudaEvent::create(**device);
  ASSERT_TRUE(in.ok() && out.ok() && arrived.ok() && returned.ok());
  for (std::int64_t i = 0; i < kBytes; ++i) {
    pinned->data()[i] = static_cast<std::byte>(i % 251);
  }
  in->copy_to_device(on_gpu->data(), pinned->data(), kBytes);
  arrived->record(in->handle());
  arrived->hold(out->handle());
  out->copy_to_host(pinned->data() + kBytes, on_gpu->data(), kBytes);
  returned->record(out->handle());
  returned->hold((*device)->stream());
  ASSERT_TRUE((*device)->synchronize().ok());
  EXPECT_TRUE(std::equal(pinned->data(), pinned->data() + kBytes, pinned->data() + kBytes));
}

}  // namespace
}  // namespace cairn
