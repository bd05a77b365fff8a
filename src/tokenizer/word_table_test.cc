#include "tokenizer/word_table.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"

namespace cairn::tokenizer {
namespace {

std::map<std::string, std::int64_t> contents(const WordTable& table) {
  std::map<std::string, std::int64_t> counts;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::string word(table.word(i));
    EXPECT_EQ(table.hash(i), xxh3_64(word, 0));
    EXPECT_TRUE(counts.emplace(word, table.count(i)).second) << word << " is there twice";
  }
  return counts;
}

TEST(WordTable, CountsAsAMapDoes) {
  RandomStream random(random_key(7, "words"), 0);
  WordTable table;
  std::map<std::string, std::int64_t> expected;
  for (int i = 0; i < 50'000; ++i) {
    const std::string word =
        std::string(random.next_below(3), 'x') + std::to_string(random.next_below(20'000));
    const auto count = static_cast<std::int64_t>(random.next_below(5) + 1);
    table.add(word, xxh3_64(word, 0), count);
    expected[word] += count;
  }
  EXPECT_EQ(contents(table), expected);
}

TEST(WordTable, TellsWordsOfTheSameHashApart) {
  WordTable table;
  table.add("one", 42, 1);
  table.add("two", 42, 10);
  table.add("one", 42, 100);
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table.count(0), 101);
  EXPECT_EQ(table.count(1), 10);
}

TEST(WordTable, ClearKeepsTheMemoryOnly) {
  WordTable table;
  for (int i = 0; i < 5000; ++i) {
    const std::string word = std::to_string(i);
    table.add(word, xxh3_64(word, 0), 1);
  }
  const std::size_t memory = table.memory_bytes();
  EXPECT_GE(memory, 5000U * 24);
  table.clear();
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.word_bytes(), 0U);
  EXPECT_EQ(table.memory_bytes(), memory);
  table.add("again", xxh3_64("again", 0), 3);
  EXPECT_EQ(contents(table), (std::map<std::string, std::int64_t>{{"again", 3}}));
}

}  // namespace
}  // namespace cairn::tokenizer
