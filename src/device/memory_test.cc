#include "device/memory.h"

#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

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
  const auto created = Arena::create(std::int64_t{1} << 60);
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.status().code(), StatusCode::kBadConfig);
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
