#include "tokenizer/character_kinds.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::tokenizer {
namespace {

TEST(CharacterKinds, TellApartWhatTheSetsTellApart) {
  const std::vector<CodePointSet> sets = {*category_set("L"), {{'a', 'f'}}, {{0x1F600, 0x1F64F}}};
  const CharacterKinds kinds = *CharacterKinds::create(sets);
  EXPECT_EQ(kinds.kind('a'), kinds.kind('f'));
  EXPECT_EQ(kinds.kind('g'), kinds.kind(0x65E5));
  EXPECT_EQ(kinds.kind('1'), kinds.kind(0x10FFFF));
  const std::set<std::uint8_t> all = {kinds.kind('a'), kinds.kind('g'), kinds.kind('1'), kinds.kind(0x1F600),
                                      kinds.kind('\n')};
  EXPECT_EQ(all.size(), 5);
  EXPECT_EQ(kinds.kind('\n'), CharacterKinds::kNewline);
  EXPECT_THAT(kinds.kinds_in(sets[0]), testing::UnorderedElementsAre(kinds.kind('a'), kinds.kind('g')));
  EXPECT_THAT(kinds.kinds_in(sets[2]), testing::ElementsAre(kinds.kind(0x1F600)));
}

// Membership of every code point in every set is a function of its kind.
TEST(CharacterKinds, KindsSayWhichSetsACharacterIsIn) {
  const std::vector<CodePointSet> sets = {*category_set("L"), *category_set("Lu"),
                                          *category_set("M"), space_set(),
                                          word_set(),         category_set("N")->complement(),
                                          {{'\n', '\r'}},     {{0, kCodePointMax}}};
  const CharacterKinds kinds = *CharacterKinds::create(sets);
  for (const CodePointSet& set : sets) {
    std::vector<bool> is_in(256);
    for (const std::uint8_t kind : kinds.kinds_in(set)) {
      is_in[kind] = true;
    }
    for (char32_t c = 0; c <= kCodePointMax; ++c) {
      ASSERT_EQ(is_in[kinds.kind(c)], set.contains(c)) << static_cast<std::uint32_t>(c);
    }
  }
}

TEST(CharacterKinds, TranslatesEachCharacterToOneByte) {
  const std::vector<CodePointSet> sets = {
      {{'a', 'z'}}, {{0x80, 0x7FF}}, {{0x800, 0xFFFF}}, {{0x10000, kCodePointMax}}};
  const CharacterKinds kinds = *CharacterKinds::create(sets);
  std::string out = "longer than what is written over it";
  kinds.translate("a\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80!\n", out);
  const auto byte = [&](char32_t c) { return static_cast<char>(kinds.kind(c)); };
  EXPECT_EQ(out, (std::string{byte('z'), byte(0x80), byte(0x800), byte(0x10000), byte('0'), '\n'}));
}

TEST(CharacterKinds, MoreThanAByteHoldsIsRefused) {
  std::vector<CodePointSet> sets;
  for (char32_t c = 0; c < 254; ++c) {
    sets.push_back({{0x4E00 + c, 0x4E00 + c}});
  }
  EXPECT_TRUE(CharacterKinds::create(sets));  // these, the newline and the rest: 256
  sets.push_back({{'a', 'a'}});
  EXPECT_FALSE(CharacterKinds::create(sets));
}

}  // namespace
}  // namespace cairn::tokenizer
