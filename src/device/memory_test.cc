#include "device/memory.h"

#include <cstdint>
#include <fstream>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

namespace cairn {
namespace {

TEST(Arena, IsZeroedAlignedAndMoves) {
  auto created = Arena::create(1000);
  ASSERT_TRUE(created.ok()) << created.status().message();
  Arena arena = std::move(created).value();
  EXPECT_EQ(arena.num_bytes(), 1000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.data()) % kTensorAlignment, 0U);
  for (std::int64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(arena.data()[i], std::byte{0});
  }
  std::byte* const data = arena.data();
  const Arena moved = std::move(arena);
  EXPECT_EQ(moved.data(), data);
  EXPECT_EQ(arena.data(), nullptr);  // NOLINT(bugprone-use-after-move): a moved-from arena is empty
}

TEST(Arena, RefusesWhatTheHostCannotGive) {
  for (const auto& created :
       {Arena::create(std::int64_t{1} << 60), Arena::create_untouched(std::int64_t{1} << 60)}) {
    ASSERT_FALSE(created.ok());
    EXPECT_EQ(created.status().code(), StatusCode::kBadConfig);
  }
}

// Pages of this process in memory now.
std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t pages = 0;
  std::int64_t resident = 0;
  file >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

TEST(Arena, UntouchedIsZeroedAlignedAndTakesPagesWhenTheyAreTouched) {
  constexpr std::int64_t kBytes = std::int64_t{256} << 20;
  const std::int64_t before = resident_bytes();
  auto created = Arena::create_untouched(kBytes);
  ASSERT_TRUE(created.ok()) << created.status().message();
  EXPECT_LT(resident_bytes() - before, kBytes / 4);
  Arena arena;
  arena = std::move(created).value();
  EXPECT_EQ(arena.num_bytes(), kBytes);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.data()) % kTensorAlignment, 0U);
  for (const std::int64_t i : {std::int64_t{0}, kBytes / 2, kBytes - 1}) {
    EXPECT_EQ(arena.data()[i], std::byte{0});
    arena.data()[i] = std::byte{1};
  }
  EXPECT_EQ(Arena::create_untouched(0).value().data(), nullptr);
}

TEST(Memory, ViewsLieWhereThePlanSaysAndSavedTensorsHaveOneCopyPerSlot) {
  Plan plan;
  const TensorId weight = plan.add({"weight", {3, 5}, DType::kFloat32, Lifetime::kParameter});
  const TensorId saved = plan.add({"saved", {7}, DType::kFloat32, Lifetime::kSaved});
  const TensorId ids = plan.add({"ids", {11}, DType::kInt32, Lifetime::kIo});
  plan.seal(2);
  auto created = Memory::create(plan);
  ASSERT_TRUE(created.ok()) << created.status().message();
  const Memory memory = std::move(created).value();
  EXPECT_EQ(memory.view(weight).shape(), (Shape{3, 5}));
  EXPECT_EQ(memory.view(ids).dtype(), DType::kInt32);
  EXPECT_NE(memory.view(saved, 0).bytes(), memory.view(saved, 1).bytes());
  memory.view(saved, 0).span<float>()[6] = 1.0F;
  EXPECT_EQ(memory.view(saved, 1).span<float>()[6], 0.0F);
  const TensorView region = memory.region(Lifetime::kSaved);
  EXPECT_EQ(region.num_bytes(), plan.region_bytes(Lifetime::kSaved));
  EXPECT_GE(memory.view(saved, 1).bytes(), region.bytes());
  EXPECT_LE(memory.view(saved, 1).bytes() + 28, region.bytes() + region.num_bytes());
}

}  // namespace
}  // namespace cairn
