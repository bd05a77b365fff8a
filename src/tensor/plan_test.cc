#include "tensor/plan.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

TensorSpec spec(std::string name, std::int64_t count, Lifetime lifetime) {
  return {std::move(name), Shape{count}, DType::kFloat32, lifetime};
}

TEST(Plan, OffsetsAreAlignedAndDense) {
  Plan plan;
  const TensorId a = plan.add(spec("a", 1, Lifetime::kParameter));
  const TensorId b = plan.add(spec("b", 64, Lifetime::kParameter));
  const TensorId c = plan.add(spec("c", 65, Lifetime::kParameter));
  const TensorId d = plan.add(spec("d", 1, Lifetime::kGradient));
  plan.seal(1);
  EXPECT_EQ(plan.offset(a, 0), 0);
  EXPECT_EQ(plan.offset(b, 0), 256);
  EXPECT_EQ(plan.offset(c, 0), 512);
  EXPECT_EQ(plan.offset(d, 0), 0);
  EXPECT_EQ(plan.region_bytes(Lifetime::kParameter), 1024);
  EXPECT_EQ(plan.total_bytes(), 1024 + 256);
  EXPECT_EQ(plan.spec(c).name, "c");
}

TEST(Plan, SiblingScopesShareBytesNestedOnesDoNot) {
  Plan plan;
  const TensorId outer = plan.add(spec("outer", 64, Lifetime::kScratch));
  TensorId left;
  TensorId inner;
  TensorId right;
  {
    const ScratchScope scope(plan);
    left = plan.add(spec("left", 64, Lifetime::kScratch));
    const ScratchScope nested(plan);
    inner = plan.add(spec("inner", 128, Lifetime::kScratch));
  }
  {
    const ScratchScope scope(plan);
    right = plan.add(spec("right", 64, Lifetime::kScratch));
  }
  plan.seal(1);
  EXPECT_EQ(plan.offset(outer, 0), 0);
  EXPECT_EQ(plan.offset(left, 0), plan.offset(right, 0));
  EXPECT_EQ(plan.offset(inner, 0), 512);
  EXPECT_EQ(plan.region_bytes(Lifetime::kScratch), 1024);
}

TEST(Plan, SlotsCopyOnlyTheSavedRegion) {
  Plan plan;
  const TensorId saved = plan.add(spec("saved", 64, Lifetime::kSaved));
  const TensorId io = plan.add(spec("io", 64, Lifetime::kIo));
  plan.seal(3);
  EXPECT_EQ(plan.region_bytes(Lifetime::kSaved), 3 * 256);
  EXPECT_EQ(plan.region_bytes(Lifetime::kIo), 256);
  EXPECT_EQ(plan.offset(saved, 2), 512);
  EXPECT_EQ(plan.offset(io, 2), 0);
}

TEST(PlanDeathTest, OrderOfCallsIsChecked) {
  Plan plan;
  const TensorId saved = plan.add(spec("a", 1, Lifetime::kSaved));
  EXPECT_DEATH(static_cast<void>(plan.offset(saved, 0)), "not sealed");
  EXPECT_DEATH(static_cast<void>(plan.total_bytes()), "not sealed");
  EXPECT_DEATH(plan.leave_scratch(), "without enter");
  EXPECT_DEATH(
      {
        plan.enter_scratch();
        plan.seal(1);
      },
      "still open");
  plan.seal(2);
  EXPECT_DEATH(plan.add(spec("b", 1, Lifetime::kIo)), "sealed plan");
  EXPECT_DEATH(plan.seal(1), "sealed once");
  EXPECT_DEATH(static_cast<void>(plan.offset(saved, 2)), "slot out of range");
  EXPECT_DEATH(static_cast<void>(plan.spec(TensorId{})), "unknown tensor");
}

// The life of a tensor in a random program of scopes: from its declaration to the end of its scope.
struct Life {
  TensorId id;
  int begin;
  int end;
};

struct RandomPlan {
  Plan plan;
  std::vector<Life> lives;
  int num_slots = 1;
};

RandomPlan make_random_plan(std::uint64_t seed) {
  RandomPlan result;
  RandomStream random(random_key(seed, "plan"), 0);
  std::vector<std::vector<std::size_t>> open_scopes(1);  // indices of lives by scope
  int time = 0;
  const auto close_scope = [&] {
    for (const std::size_t index : open_scopes.back()) {
      result.lives[index].end = time;
    }
    open_scopes.pop_back();
  };
  for (; time < 60; ++time) {
    const std::uint64_t choice = random.next_below(6);
    if (choice == 0) {
      result.plan.enter_scratch();
      open_scopes.emplace_back();
    } else if (choice == 1 && open_scopes.size() > 1) {
      result.plan.leave_scratch();
      close_scope();
    } else {
      const bool is_scratch = random.next_below(2) == 0;
      const auto lifetime =
          is_scratch ? Lifetime::kScratch : static_cast<Lifetime>(random.next_below(kNumLifetimes));
      const auto count = static_cast<std::int64_t>(random.next_below(300));
      const TensorId id = result.plan.add(spec("t" + std::to_string(time), count, lifetime));
      if (lifetime == Lifetime::kScratch) {
        open_scopes.back().push_back(result.lives.size());
      }
      result.lives.push_back({id, time, 1 << 20});
    }
  }
  while (open_scopes.size() > 1) {
    result.plan.leave_scratch();
    close_scope();
  }
  result.num_slots = 1 + static_cast<int>(random.next_below(3));
  result.plan.seal(result.num_slots);
  return result;
}

struct Extent {
  Lifetime lifetime;
  std::int64_t begin;
  std::int64_t end;
};

Extent extent_of(const Plan& plan, TensorId id, int slot) {
  const TensorSpec& tensor = plan.spec(id);
  const std::int64_t begin = plan.offset(id, slot);
  return {tensor.lifetime, begin, begin + tensor.shape.num_elements() * dtype_size(tensor.dtype)};
}

// No two tensors that live at the same time share a byte; every tensor lies in its region, aligned.
TEST(Plan, LiveTensorsNeverOverlap) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const RandomPlan random_plan = make_random_plan(seed);
    const Plan& plan = random_plan.plan;
    std::vector<std::pair<Life, Extent>> all;
    for (const Life& life : random_plan.lives) {
      const bool has_slots = plan.spec(life.id).lifetime == Lifetime::kSaved;
      for (int slot = 0; slot < (has_slots ? random_plan.num_slots : 1); ++slot) {
        all.emplace_back(life, extent_of(plan, life.id, slot));
      }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& [life_a, a] = all[i];
      ASSERT_EQ(a.begin % kTensorAlignment, 0) << "seed " << seed;
      ASSERT_LE(a.end, plan.region_bytes(a.lifetime)) << "seed " << seed;
      for (std::size_t j = 0; j < i; ++j) {
        const auto& [life_b, b] = all[j];
        const bool is_together = life_a.begin < life_b.end && life_b.begin < life_a.end;
        const bool is_shared = a.lifetime == b.lifetime && a.begin < b.end && b.begin < a.end;
        ASSERT_FALSE(is_together && is_shared)
            << "seed " << seed << ": " << plan.spec(life_a.id).name << " and " << plan.spec(life_b.id).name;
      }
    }
  }
}

TEST(Plan, LifetimesHaveNames) {
  for (int i = 0; i < kNumLifetimes; ++i) {
    EXPECT_FALSE(lifetime_name(static_cast<Lifetime>(i)).empty());
  }
}

}  // namespace
}  // namespace cairn
