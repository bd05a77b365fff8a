#include "device/cpu_facts.h"

#include <gtest/gtest.h>

#include "device/simd.h"

namespace cairn {
namespace {

TEST(CpuFacts, ThisCpuSupportsThisBuild) {
  const Status status = check_cpu_supports_build();
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(CpuFacts, CountsAtLeastOneCore) {
  EXPECT_GE(num_online_cores(), 1);
}

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
