#include "tokenizer/token_trie.h"

#include <array>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn::tokenizer {
namespace {

std::string random_bytes(RandomStream& random, std::uint64_t alphabet, std::uint64_t longest) {
  std::string text;
  const std::uint64_t size = 1 + random.next_below(longest);
  for (std::uint64_t i = 0; i < size; ++i) {
    text += static_cast<char>(random.next_below(alphabet));
  }
  return text;
}

// Characters of one to four bytes, many of three, cut anywhere: as byte-level tokens are.
std::string random_cut_text(RandomStream& random, std::uint64_t longest) {
  static constexpr std::array<std::string_view, 8> kCharacters = {"a",      " ",      "\u00e9", "\u7684",
                                                                  "\u7680", "\u4e00", "\u30fc", "\U0001f600"};
  std::string text;
  const std::uint64_t size = 1 + random.next_below(longest);
  while (text.size() < size + 3) {
    text += kCharacters[random.next_below(kCharacters.size())];
  }
  return text.substr(random.next_below(3), size);
}

std::int32_t longest_by_search(const std::map<std::string, std::int32_t>& tokens, std::string_view text) {
  for (std::size_t size = text.size(); size > 0; --size) {
    const auto found = tokens.find(std::string(text.substr(0, size)));
    if (found != tokens.end()) {
      return found->second;
    }
  }
  return -1;
}

TEST(TokenTrie, FindsNothingWhenEmpty) {
  const TokenTrie trie;
  EXPECT_EQ(trie.longest("a").id, -1);
  EXPECT_EQ(trie.longest("").id, -1);
}

TEST(TokenTrie, FindsTheLongest) {
  std::vector<TokenTrie::Entry> entries = {{"a", 0}, {"abc", 1},  {"abcdefgh", 2},
                                           {"b", 3}, {"\xFF", 4}, {std::string_view("\0x", 2), 5}};
  TokenTrie trie;
  trie.build(entries);
  EXPECT_EQ(trie.longest("abcdefg").id, 1);
  EXPECT_EQ(trie.longest("abcdefgh!").id, 2);
  EXPECT_EQ(trie.longest("ab").id, 0);
  EXPECT_EQ(trie.longest("c").id, -1);
  EXPECT_EQ(trie.longest("\xFF\xFF").id, 4);
  EXPECT_EQ(trie.longest(std::string_view("\0xy", 3)).id, 5);
  EXPECT_EQ(trie.longest(std::string_view("\0", 1)).id, -1);
}

TEST(TokenTrie, AgreesWithASearchOfAllPrefixes) {
  RandomStream random(RandomKey{11}, 0);
  for (const std::uint64_t alphabet : {2ULL, 5ULL, 256ULL}) {
    for (int round = 0; round < 20; ++round) {
      std::map<std::string, std::int32_t> tokens;
      const std::uint64_t count = 1 + random.next_below(3000);
      for (std::uint64_t i = 0; i < count; ++i) {
        tokens.emplace(random_bytes(random, alphabet, 9), static_cast<std::int32_t>(i));
      }
      std::vector<TokenTrie::Entry> entries(tokens.begin(), tokens.end());
      TokenTrie trie;
      trie.build(entries);
      for (const auto& [text, id] : tokens) {
        EXPECT_EQ(trie.longest(text).id, id);
      }
      for (int i = 0; i < 2000; ++i) {
        const std::string text = random_bytes(random, alphabet, 20);
        EXPECT_EQ(trie.longest(text).id, longest_by_search(tokens, text));
      }
    }
  }
}

TEST(TokenTrie, AgreesOnCharactersOfManyBytes) {
  RandomStream random(RandomKey{12}, 0);
  for (int round = 0; round < 60; ++round) {
    std::map<std::string, std::int32_t> tokens;
    const std::uint64_t count = 1 + random.next_below(800);
    for (std::uint64_t i = 0; i < count; ++i) {
      tokens.emplace(random_cut_text(random, 10), static_cast<std::int32_t>(i));
    }
    std::vector<TokenTrie::Entry> entries(tokens.begin(), tokens.end());
    TokenTrie trie;
    trie.build(entries);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = random_cut_text(random, 20);
      const TokenTrie::Found found = trie.longest(text);
      ASSERT_EQ(found.id, longest_by_search(tokens, text)) << text;
      ASSERT_TRUE(found.id < 0 || tokens.at(text.substr(0, found.num_bytes)) == found.id);
    }
  }
}

}  // namespace
}  // namespace cairn::tokenizer
