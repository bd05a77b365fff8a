#include "tokenizer/regex_syntax.h"

#include <string>

#include <gtest/gtest.h>

#include "tokenizer/pre_tokenizer.h"

namespace cairn::tokenizer {
namespace {

// What tests/peers/pre_tokenizer_peer.py compares with the reference is not repeated here.
TEST(RegexSyntax, AcceptsThePatternsThatFilesState) {
  for (const std::string_view pattern :
       {kGpt2Regex, kLlama3Regex, kQwenRegex, kTekkenRegex, kO200kRegex,
        std::string_view(
            R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|\s++$|\s*[\r\n]|\s)"),
        std::string_view(R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+| ?[\p{P}\p{S}]+[\r\n]*)"),
        std::string_view("[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F]+")}) {
    const Result<RegexTree> tree = parse_regex(pattern);
    EXPECT_TRUE(tree.ok()) << pattern << ": " << tree.status().message();
  }
}

struct Refused {
  std::string_view pattern;
  std::string_view reason;  // a part of the message
};

constexpr Refused kRefused[] = {
    {"\\h+", "\\h"},
    {"\\R", "\\R"},
    {"\\X", "\\X"},
    {"a\\b", "\\b"},
    {"a\\B", "\\B"},
    {"(a)\\1", "\\1"},
    {"a\\K", "\\K"},
    {"\\G1", "\\G"},
    {"\\pL", "a \\p without {..}"},
    {"\\p{Han}", "the property Han"},
    {"\\p{Cn}", "the property Cn"},
    {"\\p{letter}", "the property letter"},
    {"[[:alpha:]]", "a class in a class"},
    {"[a[b]]", "a class in a class"},
    {"[a-z&&b]", "a && in a class"},
    {"[]a]", "begins with ]"},
    {"[a", "a [ without its ]"},
    {"[b-a]", "ends before it begins"},
    {"[a-\\d]", "a range to a class"},
    {"[\\d-a]", "a range from a class"},
    {"[a-c-e]", "a - in a class"},
    {"[+--]", "a range without its end"},
    {"[^\\s\\S]", "a class without characters"},
    {"(?<n>a)", "a group that begins with (?<n"},
    {"(?P<n>a)", "a group that begins with (?P<"},
    {"(?i)a", "a group that begins with (?i)"},
    {"(?x: a)", "a group that begins with (?x:"},
    {"(?#c)a", "a group that begins with (?#c"},
    {"(*FAIL)", "a group that begins with (*"},
    {"(a", "a ( without its )"},
    {"a)", "a ) without its ("},
    {"a{2}?", "{n}?"},
    {"a**", "a repeat of a repeat"},
    {"a{2}{3}", "a repeat of a repeat"},
    {"*a", "a repeat of nothing"},
    {"a|+", "a repeat of nothing"},
    {"a{x}", "a { that is no repeat"},
    {"a{1001}", "{n,m} with more than 1000"},
    {"a{3,2}", "{n,m} with more than 1000"},
    {"a{0}b", "{n,m} with more than 1000"},
    {"(?:a+?)?b", "a repeat of nothing but a repeat"},
    {"(?:a*)*b", "a repeat of what can match no character"},
    {"(?:a|b?)+c", "a repeat of what can match no character"},
    {"^*a", "a repeat of what can match no character"},
    {"(?=a)?a", "a repeat of what can match no character"},
    {"(?:b|(?:^$))?a", "a repeat of what can match no character"},
    {"", "1 to 16384 bytes"},
    {"a*", "it can match no character at all"},
    {"a|b?", "it can match no character at all"},
    {"(?=a)", "it can match no character at all"},
    {"(?i:\xC3\xA9)", "not ASCII inside (?i: )"},
    {"(?i:[a-\xC3\xA9])", "not ASCII inside (?i: )"},
    {"(?i:\\p{L})", "a class of characters inside (?i: )"},
    {"(?i:[\\d])", "a class of characters inside (?i: )"},
    {"(?i:[^a])", "a negated class inside (?i: )"},
    {"(?i:ss)", "letters that one character folds to"},
    {"(?i:of|fi)", "letters that one character folds to"},
    {"(?i:s+)", "letters that one character folds to"},
    {"(?i:s)(?i:x?)(?i:T)", "letters that one character folds to"},
    {"(?i:[r-t][a-s])", "letters that one character folds to"},
    {"(?<=ab)c", "a look-behind of anything but one character"},
    {"(?<!a+)c", "a look-behind of anything but one character"},
    {"\\x{110000}", "that are no character"},
    {"\\uD800", "that are no character"},
    {"\\x{}", "that are no character"},
    {"\\xE9", "a byte that is not ASCII"},
    {"\\x{41", "a \\x{ without its }"},
    {"a\\", "a \\ at the end"},
};

TEST(RegexSyntax, RefusesByName) {
  for (const Refused& refused : kRefused) {
    const Result<RegexTree> tree = parse_regex(refused.pattern);
    ASSERT_FALSE(tree.ok()) << refused.pattern;
    EXPECT_EQ(tree.status().code(), StatusCode::kBadData);
    EXPECT_NE(tree.status().message().find(refused.reason), std::string::npos)
        << refused.pattern << ": " << tree.status().message();
  }
}

TEST(RegexSyntax, LongAndDeepPatternsAreRefused) {
  EXPECT_TRUE(parse_regex(std::string(kRegexBytesMax, 'a')).ok());
  EXPECT_FALSE(parse_regex(std::string(kRegexBytesMax + 1, 'a')).ok());
  const auto nested = [](int depth) {
    const auto count = static_cast<std::size_t>(depth);
    return std::string(count, '(') + "a" + std::string(count, ')');
  };
  EXPECT_TRUE(parse_regex(nested(kRegexDepthMax)).ok());
  EXPECT_FALSE(parse_regex(nested(kRegexDepthMax + 1)).ok());
}

TEST(RegexSyntax, EachSetIsThereOnce) {
  const Result<RegexTree> tree = parse_regex(R"([ab]\p{L}[a-b]\p{L}|\p{Lu}b)");
  ASSERT_TRUE(tree.ok()) << tree.status().message();
  EXPECT_EQ(tree->sets.size(), 4);
  EXPECT_EQ(tree->root.type, RegexNodeType::kAlternatives);
  EXPECT_FALSE(tree->root.may_be_empty);
}

TEST(RegexSyntax, LettersInAnyCaseHaveTheirFoldedForms) {
  const Result<RegexTree> tree = parse_regex("(?i:k)");
  ASSERT_TRUE(tree.ok()) << tree.status().message();
  ASSERT_EQ(tree->sets.size(), 1);
  EXPECT_EQ(tree->sets[0], (CodePointSet{{'K', 'K'}, {'k', 'k'}, {0x212A, 0x212A}}));
}

}  // namespace
}  // namespace cairn::tokenizer
