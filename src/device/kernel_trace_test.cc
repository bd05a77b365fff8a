#include "device/kernel_trace.h"

#include <gtest/gtest.h>

#include "device/memory.h"

namespace cairn {
namespace {

TEST(KernelTrace, SeesTheFillOfAnAllocation) {
  if (CudaDevice::count() == 0) {
    GTEST_SKIP() << "no GPU";
  }
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().message();
  auto trace = KernelTrace::start();
  if (!trace.ok()) {
    GTEST_SKIP() << trace.status().message();
  }
  const auto arena = Arena::create_on(**device, std::int64_t{64} << 20, DeviceKind::kCuda);
  ASSERT_TRUE(arena.ok());
  ASSERT_TRUE((*device)->synchronize().ok());
  const std::vector<DeviceInterval> intervals = (*trace)->stop();
  ASSERT_FALSE(intervals.empty());
  EXPECT_EQ(intervals.front().name, "fill");
  EXPECT_GT(intervals.front().end_ns, intervals.front().begin_ns);
}

}  // namespace
}  // namespace cairn
