// Small models whose merges can be followed by hand; random ones are in bpe_model_test.cc.
#include "tokenizer/live_merges.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::tokenizer {
namespace {

constexpr std::int32_t kA = 0, kB = 1, kC = 2, kAB = 3, kBC = 4, kABC = 5;
constexpr std::array<std::int32_t, 3> kBytes = {kA, kB, kC};

LiveMerges build(const std::vector<BpeMerge>& merges) {
  LiveMerges live;
  live.build(merges, kBytes, 6);
  return live;
}

TEST(PairTable, FindsWhatWasAddedOnce) {
  PairTable table;
  table.reserve(100);
  for (std::int32_t i = 0; i < 100; ++i) {
    EXPECT_TRUE(table.add(i, 2 * i, i));
  }
  EXPECT_FALSE(table.add(7, 14, 1));
  for (std::int32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(table.find(i, 2 * i), i);
    EXPECT_EQ(table.find(i, 2 * i + 1), -1);
  }
}

TEST(LiveMerges, BirthIsTheRankOfTheMergeThatHappens) {
  // a+bc never happens: in "abc" a+b is merged first, and makes abc with c.
  const LiveMerges live = build({{kA, kB, kAB}, {kB, kC, kBC}, {kA, kBC, kABC}, {kAB, kC, kABC}});
  EXPECT_EQ(live.birth(kA), LiveMerges::kByte);
  EXPECT_EQ(live.birth(kAB), 0);
  EXPECT_EQ(live.birth(kBC), 1);
  EXPECT_EQ(live.birth(kABC), 3);
  EXPECT_TRUE(live.is_ordered());
}

TEST(LiveMerges, TokensThatWouldMergeDoNotFit) {
  const LiveMerges live = build({{kA, kB, kAB}, {kB, kC, kBC}});
  EXPECT_FALSE(live.fits(kA, kB));
  EXPECT_FALSE(live.fits(kA, kBC));  // of "abc" the first merge makes ab, c
  EXPECT_TRUE(live.fits(kAB, kC));
  EXPECT_TRUE(live.fits(kB, kA));
}

TEST(LiveMerges, OfEqualPairsTheLeftOneGoesFirst) {
  LiveMerges live;
  live.build(std::vector<BpeMerge>{{kA, kA, kAB}}, kBytes, 6);
  EXPECT_TRUE(live.fits(kAB, kA));   // aaa is (aa) a
  EXPECT_FALSE(live.fits(kA, kAB));  // and never a (aa)
}

TEST(LiveMerges, AMergeOfTokensNotYetBornIsOutOfOrder) {
  EXPECT_FALSE(build({{kAB, kC, kABC}, {kA, kB, kAB}}).is_ordered());
  // Of one that nothing makes nothing is to be feared.
  EXPECT_TRUE(build({{kAB, kC, kABC}}).is_ordered());
  EXPECT_EQ(build({{kAB, kC, kABC}}).birth(kABC), LiveMerges::kNever);
}

}  // namespace
}  // namespace cairn::tokenizer
