#include "tokenizer/unicode.h"

#include <gtest/gtest.h>

namespace cairn::tokenizer {
namespace {

TEST(Unicode, ClassesOfWellKnownCharacters) {
  EXPECT_EQ(code_point_flags(U'a') & ~kInert, kLetter | kLowerLike | kWord);
  EXPECT_EQ(code_point_flags(U'A') & ~kInert, kLetter | kUpperLike | kWord);
  EXPECT_EQ(code_point_flags(U'7') & ~kInert, kNumber | kWord);
  EXPECT_EQ(code_point_flags(U'_') & ~kInert, kWord);
  EXPECT_EQ(code_point_flags(U'\u3000') & ~kInert, kSpace);
  EXPECT_EQ(code_point_flags(U'\u65E5') & ~kInert, kLetter | kUpperLike | kLowerLike | kWord);
  EXPECT_EQ(code_point_flags(U'\u0301') & ~kInert, kUpperLike | kLowerLike | kWord);
  EXPECT_EQ(code_point_flags(U'\u2167') & ~kInert, kNumber | kWord);  // a letter number
  EXPECT_EQ(code_point_flags(U'\u00BD') & ~kInert, kNumber);
  EXPECT_EQ(code_point_flags(U'\U0001F600') & ~kInert, 0);
  EXPECT_EQ(code_point_flags(U'\U000E0101') & ~kInert, kUpperLike | kLowerLike | kWord);
  EXPECT_EQ(code_point_flags(U'\U0010FFFF') & ~kInert, 0);
  EXPECT_EQ(code_point_flags(U'\U000105C0') & kLetter, kLetter);  // Todhri, new in Unicode 16
}

TEST(Unicode, NormalFormC) {
  EXPECT_EQ(normalize_nfc("plain"), "plain");
  EXPECT_EQ(normalize_nfc("e\u0301"), "\u00E9");
  EXPECT_EQ(normalize_nfc("\u00E9"), "\u00E9");
  EXPECT_EQ(normalize_nfc("a\u0301\u0323"), "\u1EA1\u0301");  // reordered, then composed
  EXPECT_EQ(normalize_nfc("\u1100\u1161\u11A8"), "\uAC01");   // Hangul by arithmetic
  EXPECT_EQ(normalize_nfc("\uAC00\u11A8"), "\uAC01");
  EXPECT_EQ(normalize_nfc("\u212B"), "\u00C5");        // a singleton
  EXPECT_EQ(normalize_nfc("\u0958"), "\u0915\u093C");  // excluded from composition
  EXPECT_EQ(normalize_nfc("\u0301"), "\u0301");
  EXPECT_EQ(normalize_nfc("\uFB01"), "\uFB01");  // compatibility: not touched
}

TEST(Unicode, LongRunsOfMarksAreQuick) {
  std::string text = "a";
  for (int i = 0; i < 200'000; ++i) {
    text += i % 2 == 0 ? "\u0334" : "\u0345";
  }
  EXPECT_EQ(normalize_nfc(text).size(), text.size());
}

}  // namespace
}  // namespace cairn::tokenizer
