#include "tokenizer/regex.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::tokenizer {
namespace {

// The matches in an ASCII text, one after the other, in brackets: "a[bb]c".
std::string marked(const RegexTree& tree, std::string_view text) {
  const CharacterKinds kinds = *CharacterKinds::create(tree.sets);
  Result<Regex> regex = Regex::compile(tree, kinds);
  EXPECT_TRUE(regex.ok()) << regex.status().message();
  std::string translated;
  kinds.translate(text, translated);
  RegexBuffers buffers;
  std::string out;
  std::size_t at = 0;
  for (RegexMatch match; at < text.size(); at = match.end) {
    EXPECT_TRUE(regex->find(translated, at, buffers, match).ok());
    if (match.begin == RegexMatch::kNone) {
      break;
    }
    out.append(text.substr(at, match.begin - at));
    out.append("[").append(text.substr(match.begin, match.end - match.begin)).append("]");
  }
  return out.append(text.substr(at));
}

std::string marked(std::string_view pattern, std::string_view text) {
  const Result<RegexTree> tree = parse_regex(pattern);
  EXPECT_TRUE(tree.ok()) << pattern << ": " << tree.status().message();
  return tree.ok() ? marked(*tree, text) : "";
}

TEST(Regex, OneCharacterAndFixedStringsNeedNoEngine) {
  EXPECT_EQ(marked("\\d", "a12b"), "a[1][2]b");
  EXPECT_EQ(marked("[a-c]", "xxx"), "xxx");
  EXPECT_EQ(marked("aba", "ababaaba"), "[aba]ba[aba]");
  EXPECT_EQ(marked(literal_regex("a.b"), "acba.b"), "acb[a.b]");
  EXPECT_EQ(marked(set_regex(numeral_set()), "1a"), "[1]a");
}

TEST(Regex, EngineFindsWhatBacktrackingFinds) {
  if (!has_regex_engine()) {
    GTEST_SKIP() << "built without PCRE2";
  }
  const struct {
    std::string_view pattern, text, matches;
  } cases[] = {
      {"a|ab", "ab", "[a]b"},
      {"a+b", "aabab", "[aab][ab]"},
      {"a+?", "aa", "[a][a]"},
      {"a{,2}b", "aaab", "a[aab]"},
      {"a{2,3}+", "aaaaa", "[aaaaa]"},  // (?:a{2,3})+
      {"a{2}+", "aaaaa", "[aaaa]a"},
      {"a*+a|b", "aab", "aa[b]"},
      {"(?>a|ab)c|b", "abc", "a[b]c"},
      {".+", "ab\ncd", "[ab]\n[cd]"},
      {"(?m:.+)", "ab\ncd", "[ab\ncd]"},
      {"^b", "b\nbb\n", "[b]\n[b]b\n"},
      {"a$", "a\naa\r\na", "[a]\naa\r\n[a]"},
      {"\\Aa|b\\z", "aabb", "[a]ab[b]"},
      {"a\\Z", "aa\n", "a[a]\n"},
      {"\\s+(?!\\S)|\\s", "a   b ", "a[  ][ ]b[ ]"},
      {"(?<=[ab])c", "acbcc", "a[c]b[c]c"},
      {"(?<!\\s)c", "ac c", "a[c] c"},
      {"(?i:'s|'ll)", "it'S 'lL", "it['S] ['lL]"},
      {"\\v|\\x{42}|\\u0043|\\x44", "A\vBCDE", "A[\v][B][C][D]E"},
      {"[^\\n]", "a\n", "[a]\n"},
      {" *(?:b|c)?+ ", "   x ", "[   ]x[ ]"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(marked(c.pattern, c.text), c.matches) << c.pattern;
  }
}

// Exponential backtracking ends with an error, never with another match.
TEST(Regex, TooManyStepsAreAnError) {
  if (!has_regex_engine()) {
    GTEST_SKIP() << "built without PCRE2";
  }
  const RegexTree tree = *parse_regex("(?:a|a|ab)+[bc]");
  const CharacterKinds kinds = *CharacterKinds::create(tree.sets);
  const Regex regex = std::move(Regex::compile(tree, kinds)).value();
  std::string translated;
  kinds.translate(std::string(60, 'a'), translated);
  RegexBuffers buffers;
  RegexMatch match;
  const Status status = regex.find(translated, 0, buffers, match);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("too much work"), std::string::npos) << status.message();
}

// What is linear in the reference never meets the limit: here a run of spaces that is looked at twice.
TEST(Regex, LongRunsAreNoError) {
  if (!has_regex_engine()) {
    GTEST_SKIP() << "built without PCRE2";
  }
  const std::string spaces(3'000'000, ' ');
  EXPECT_EQ(marked("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", spaces), "[" + spaces + "]");
  // A group keeps its way back for each round.
  EXPECT_EQ(marked("(?:\\s|x)+(?!\\S)", spaces.substr(0, 200'000)), "[" + spaces.substr(0, 200'000) + "]");
}

TEST(Regex, WhatTheEngineDoesNotCompileIsRefused) {
  const RegexTree tree = *parse_regex("(?:(?:(?:[ab]c){900}){900}){900}");
  const CharacterKinds kinds = *CharacterKinds::create(tree.sets);
  const Result<Regex> regex = Regex::compile(tree, kinds);
  ASSERT_FALSE(regex.ok());
  EXPECT_EQ(regex.status().code(), StatusCode::kBadData);
  EXPECT_NE(regex.status().message().find("PCRE2"), std::string::npos) << regex.status().message();
}

}  // namespace
}  // namespace cairn::tokenizer
