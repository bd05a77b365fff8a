#include "parallel/reduction_tree.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace cairn::parallel {
namespace {

// The rule of the header, written down once more as text: "(a+b)".
std::string tree(std::int64_t lo, std::int64_t n) {
  if (n == 1) {
    return std::to_string(lo);
  }
  std::int64_t p = 1;
  while (p * 2 < n) {
    p *= 2;
  }
  return "(" + tree(lo, p) + "+" + tree(lo + p, n - p) + ")";
}

// What the actions do, on text instead of numbers.
std::string walk(std::int64_t count, int* num_levels) {
  std::map<int, std::string> partial;
  std::string gradient;
  *num_levels = 0;
  for (std::int64_t m = 0; m < count; ++m) {
    EXPECT_EQ(gradient, "") << "the gradient is zero before each microbatch";
    gradient = std::to_string(m);
    for (const ReductionAction& action : reduction_actions(m, count)) {
      if (action.kind == ReductionAction::Kind::kAddPartial) {
        EXPECT_NE(partial[action.level], "");
        gradient = "(" + partial[action.level] + "+" + gradient + ")";
        partial[action.level].clear();
      } else {
        EXPECT_EQ(partial[action.level], "") << "a waiting sum is overwritten";
        partial[action.level] = gradient;
        gradient.clear();
        *num_levels = std::max(*num_levels, action.level + 1);
      }
    }
  }
  for (const auto& [level, text] : partial) {
    EXPECT_EQ(text, "") << "level " << level << " was left behind";
  }
  return gradient;
}

TEST(ReductionTree, ActionsWalkTheStatedTreeForEveryCount) {
  for (std::int64_t count = 1; count <= 130; ++count) {
    int num_levels = 0;
    EXPECT_EQ(walk(count, &num_levels), tree(0, count));
    EXPECT_EQ(num_levels, num_partial_buffers(count)) << count;
  }
}

TEST(ReductionTree, AnAlignedBlockIsASubtree) {
  // Ranks 0 and 1 of data-parallel 2 own [0, 4) and [4, 8).
  EXPECT_EQ(tree(0, 8), "(" + tree(0, 4) + "+" + tree(4, 4) + ")");
}

}  // namespace
}  // namespace cairn::parallel
