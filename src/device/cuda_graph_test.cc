#include "device/cuda_graph.h"

#include <cstdint>
#include <cstring>

#include <gtest/gtest.h>

#include "device/memory.h"

namespace cairn {
namespace {

TEST(CudaGraph, WhatWasRecordedRunsAtEachLaunchAndNotBefore) {
  if (CudaDevice::count() == 0) {
    GTEST_SKIP() << "no GPU";
  }
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().message();
  auto memory = Arena::create_on(**device, 256, DeviceKind::kCuda);
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  auto pinned = (*device)->allocate_pinned(8);
  ASSERT_TRUE(pinned.ok()) << pinned.status().message();
  std::byte* const in = *pinned;
  std::byte* const out = *pinned + 4;
  const auto set = [&](std::byte* at, std::int32_t value) { std::memcpy(at, &value, sizeof(value)); };
  const auto get = [&](const std::byte* at) {
    std::int32_t value = 0;
    std::memcpy(&value, at, sizeof(value));
    return value;
  };
  set(in, 1);
  set(out, 0);
  auto graph = CudaGraph::record(**device, [&] {
    (*device)->copy_to_device(memory->data(), in, 4);
    (*device)->copy_to_host(out, memory->data(), 4);
  });
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_TRUE((*device)->synchronize().ok());
  EXPECT_EQ(get(out), 0);
  for (const std::int32_t value : {7, 11}) {
    set(in, value);
    (*graph)->launch(**device);
    ASSERT_TRUE((*device)->synchronize().ok());
    EXPECT_EQ(get(out), value);
  }
  (*device)->release_pinned(*pinned);
}

TEST(CudaGraph, WorkThatWaitsIsRefused) {
  if (CudaDevice::count() == 0) {
    GTEST_SKIP() << "no GPU";
  }
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().message();
  const auto graph = CudaGraph::record(**device, [&] { static_cast<void>((*device)->synchronize()); });
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(graph.status().message().find("cannot be recorded"), std::string::npos)
      << graph.status().message();
  EXPECT_TRUE((*device)->synchronize().ok());  // the device still works
}

}  // namespace
}  // namespace cairn
