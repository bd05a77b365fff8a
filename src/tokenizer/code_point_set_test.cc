#include "tokenizer/code_point_set.h"

#include <gtest/gtest.h>

#include "tokenizer/unicode.h"

namespace cairn::tokenizer {
namespace {

using Ranges = std::vector<CodePointRange>;

Ranges ranges_of(const CodePointSet& set) {
  return {set.ranges().begin(), set.ranges().end()};
}

TEST(CodePointSet, RangesThatTouchBecomeOne) {
  CodePointSet set = {{10, 20}, {40, 50}, {22, 30}};
  EXPECT_EQ(ranges_of(set), (Ranges{{10, 20}, {22, 30}, {40, 50}}));
  set.add(21, 21);
  EXPECT_EQ(ranges_of(set), (Ranges{{10, 30}, {40, 50}}));
  set.add(5, 60);
  EXPECT_EQ(ranges_of(set), (Ranges{{5, 60}}));
  set.add(0, 3);
  EXPECT_EQ(ranges_of(set), (Ranges{{0, 3}, {5, 60}}));
}

TEST(CodePointSet, ComplementHasAllOthers) {
  const CodePointSet set = {{0, 9}, {20, 29}};
  EXPECT_EQ(ranges_of(set.complement()), (Ranges{{10, 19}, {30, kCodePointMax}}));
  EXPECT_EQ(set.complement().complement(), set);
  EXPECT_EQ(ranges_of(CodePointSet().complement()), (Ranges{{0, kCodePointMax}}));
  EXPECT_TRUE(CodePointSet().complement().complement().empty());
}

TEST(CodePointSet, ContainsTheEndsOfItsRanges) {
  const CodePointSet set = {{10, 20}, {30, 30}};
  for (const char32_t c : {10U, 15U, 20U, 30U}) {
    EXPECT_TRUE(set.contains(c)) << static_cast<std::uint32_t>(c);
  }
  for (const char32_t c : {0U, 9U, 21U, 29U, 31U}) {
    EXPECT_FALSE(set.contains(c)) << static_cast<std::uint32_t>(c);
  }
}

// The scanners' tables and the categories are two outputs of one generator.
TEST(CodePointSet, CategoriesAreThoseOfTheScanners) {
  const CodePointSet letters = *category_set("L");
  const CodePointSet numbers = *category_set("N");
  const CodePointSet lower = *category_set("Ll");
  const CodePointSet spaces = space_set();
  const CodePointSet words = word_set();
  for (char32_t c = 0; c <= kCodePointMax; ++c) {
    if (c >= 0xD800 && c < 0xE000) {
      continue;
    }
    const std::uint8_t flags = code_point_flags(c);
    const bool is_joiner = c == 0x200C || c == 0x200D;
    ASSERT_EQ(letters.contains(c), (flags & kLetter) != 0) << static_cast<std::uint32_t>(c);
    ASSERT_EQ(numbers.contains(c), (flags & kNumber) != 0) << static_cast<std::uint32_t>(c);
    ASSERT_EQ(spaces.contains(c), (flags & kSpace) != 0) << static_cast<std::uint32_t>(c);
    ASSERT_EQ(words.contains(c) || is_joiner, (flags & kWord) != 0) << static_cast<std::uint32_t>(c);
    ASSERT_TRUE(!lower.contains(c) || (flags & kLowerLike) != 0) << static_cast<std::uint32_t>(c);
  }
}

TEST(CodePointSet, CategoriesThatDependOnTheVersionAreUnknown) {
  for (const std::string_view name : {"C", "Cn", "Cc", "", "X", "Lx", "Letter"}) {
    EXPECT_FALSE(category_set(name)) << name;
  }
  for (const std::string_view name : {"L", "Lu", "M", "Mn", "Nd", "P", "Pf", "S", "So", "Z", "Zs"}) {
    EXPECT_TRUE(category_set(name)) << name;
  }
}

}  // namespace
}  // namespace cairn::tokenizer
