#include "tokenizer/splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"
#include "tokenizer/pre_tokenizer.h"

namespace cairn::tokenizer {
namespace {

using Pieces = std::vector<std::string>;

Splitter splitter_of(const std::vector<SplitStep>& steps) {
  Result<Splitter> splitter = Splitter::create(steps);
  CHECK(splitter.ok(), splitter.status().message().c_str());
  return std::move(splitter).value();
}

Pieces pieces_of(const Splitter& splitter, std::string_view text) {
  SplitterBuffers buffers;
  Pieces pieces;
  const Status status = splitter.split(text, buffers, [&](std::size_t begin, std::size_t end) {
    pieces.emplace_back(text.substr(begin, end - begin));
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return pieces;
}

Pieces pieces_of(const std::vector<SplitStep>& steps, std::string_view text) {
  return pieces_of(splitter_of(steps), text);
}

// The behaviours of the `tokenizers` package (0.23.3) for the pattern b.
TEST(Splitter, BehavioursAreTheReferences) {
  const struct {
    SplitBehavior behavior;
    bool is_inverted;
    Pieces pieces;
  } cases[] = {
      {SplitBehavior::kIsolated, false, {"a", "b", "b", "c", "b", "d"}},
      {SplitBehavior::kIsolated, true, {"a", "b", "b", "c", "b", "d"}},
      {SplitBehavior::kRemoved, false, {"a", "c", "d"}},
      {SplitBehavior::kRemoved, true, {"b", "b", "b"}},
      {SplitBehavior::kMergedWithPrevious, false, {"ab", "b", "cb", "d"}},
      {SplitBehavior::kMergedWithPrevious, true, {"a", "b", "bc", "bd"}},
      {SplitBehavior::kMergedWithNext, false, {"a", "b", "bc", "bd"}},
      {SplitBehavior::kMergedWithNext, true, {"ab", "b", "cb", "d"}},
      {SplitBehavior::kContiguous, false, {"a", "bb", "c", "b", "d"}},
      {SplitBehavior::kContiguous, true, {"a", "bb", "c", "b", "d"}},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(pieces_of({{literal_regex("b"), c.behavior, c.is_inverted}}, "abbcbd"), c.pieces)
        << static_cast<int>(c.behavior) << c.is_inverted;
  }
}

TEST(Splitter, EachStepSeesOnlyThePiecesOfTheOneBefore) {
  const std::vector<SplitStep> steps = {{literal_regex("-"), SplitBehavior::kMergedWithNext, false},
                                        {literal_regex("ab"), SplitBehavior::kIsolated, false}};
  EXPECT_EQ(pieces_of(steps, "abaab-a-bab"), (Pieces{"ab", "a", "ab", "-a", "-b", "ab"}));
}

TEST(Splitter, OffsetsAreOfBytes) {
  const std::vector<SplitStep> steps = {{set_regex(numeral_set()), SplitBehavior::kContiguous, false},
                                        {literal_regex("\xC3\xA9"), SplitBehavior::kRemoved, false}};
  EXPECT_EQ(pieces_of(steps, "\xE6\xA5\xB5\x31\x32\xC3\xA9\xF0\x9F\x98\x80\xE6\xA5\xB5\xD9\xA1"),
            (Pieces{"\xE6\xA5\xB5", "12", "\xF0\x9F\x98\x80\xE6\xA5\xB5", "\xD9\xA1"}));
  EXPECT_EQ(pieces_of(steps, ""), Pieces());
  EXPECT_EQ(pieces_of(steps, "\xC3\xA9\xC3\xA9"), Pieces());
}

// Two independent ways to the same pieces: scanners written by hand, and the expressions themselves.
TEST(Splitter, KnownPatternsAreCutAsTheirScannersCut) {
  if (!has_regex_engine()) {
    GTEST_SKIP() << "built without PCRE2";
  }
  RandomStream random(random_key(1, "splitter"), 0);
  for (const std::string_view regex : {kGpt2Regex, kLlama3Regex, kQwenRegex, kTekkenRegex, kO200kRegex}) {
    const Splitter splitter = splitter_of({{*parse_regex(regex), SplitBehavior::kIsolated, false}});
    for (int i = 0; i < 3000; ++i) {
      std::string text;
      while (random.next_below(20) != 0) {
        static constexpr std::string_view kParts[] = {"'s", "'LL", "\r\n", "  ", " ",
                                                      "\n", "/",   "aB",   "12", "!"};
        if (random.next_below(2) == 0) {
          text += kParts[random.next_below(std::size(kParts))];
          continue;
        }
        static constexpr std::uint32_t kEnds[] = {0x80, 0x250, 0x3100, 0x110000};
        const auto c = static_cast<char32_t>(random.next_below(kEnds[random.next_below(4)]));
        append_utf8(text, c >= 0xD800 && c < 0xE000 ? U'x' : c);
      }
      Pieces scanned;
      for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = piece_end(*find_pattern(regex), text, begin);
        scanned.push_back(text.substr(begin, end - begin));
        begin = end;
      }
      ASSERT_EQ(pieces_of(splitter, text), scanned) << regex << text;
    }
  }
}

TEST(Splitter, AnErrorOfAStepEndsTheText) {
  if (!has_regex_engine()) {
    GTEST_SKIP() << "built without PCRE2";
  }
  const Splitter splitter =
      splitter_of({{*parse_regex("(?:a|a|ab)+[cd]|b"), SplitBehavior::kIsolated, false}});
  SplitterBuffers buffers;
  Pieces pieces;
  const std::string text = "bb" + std::string(60, 'a');
  const Status status = splitter.split(text, buffers, [&](std::size_t begin, std::size_t end) {
    pieces.push_back(text.substr(begin, end - begin));
  });
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_LE(pieces.size(), 2U);
}

TEST(Splitter, TooManyKindsOfCharactersAreRefused) {
  std::vector<SplitStep> steps;
  for (char32_t c = 0; c < 300; ++c) {
    steps.push_back({set_regex({{0x4E00 + c, 0x4E00 + c}}), SplitBehavior::kIsolated, false});
  }
  const Result<Splitter> splitter = Splitter::create(steps);
  ASSERT_FALSE(splitter.ok());
  EXPECT_NE(splitter.status().message().find("256 kinds"), std::string::npos);
}

}  // namespace
}  // namespace cairn::tokenizer
