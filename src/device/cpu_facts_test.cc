#include "device/cpu_facts.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <gtest/gtest.h>

#include "device/simd.h"

namespace cairn {
namespace {

TEST(CpuFacts, ThisCpuSupportsThisBuild) {
  const Status status = check_cpu_supports_build();
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(CpuFacts, CountsAtLeastOneCore) {
  EXPECT_GE(num_usable_cpus(), 1);
}

#if defined(__linux__)
// A launcher that gives a process some of the machine's CPUs does so by its affinity mask.
TEST(CpuFacts, CountsTheAffinityMask) {
  cpu_set_t all;
  CPU_ZERO(&all);
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(num_usable_cpus(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}
#endif

TEST(CpuFacts, PeakIsPositiveAndNotAboveAnyKnownCore) {
  ThreadPool pool(1);
  const double peak = measure_fma_peak_flops(pool);
  // Four vector pipes at 8 GHz would be the fastest core there is; an emulator is slow, not silent.
  EXPECT_GT(peak, 1e6);
  EXPECT_LT(peak, 4.0 * 2.0 * simd::kLanes * 8e9);
}

TEST(CpuFacts, NamesTheInstructionSetOfTheVectors) {
  const std::string_view name = compiled_instruction_set();
  EXPECT_EQ(name == "AVX-512", simd::kLanes == 16);
  EXPECT_EQ(name == "AVX2", simd::kLanes == 8);
}

}  // namespace
}  // namespace cairn
