#include "tokenizer/word_counter.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"
#include "doors/sim_file_system.h"

namespace cairn::tokenizer {
namespace {

using Counts = std::map<std::string, std::int64_t>;

constexpr std::string_view kRegexes[] = {kGpt2Regex, kLlama3Regex, kQwenRegex, kTekkenRegex, kO200kRegex};

Counts counted_plainly(const Pattern& pattern, const std::vector<std::string>& texts) {
  Counts counts;
  for (const std::string& text : texts) {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = piece_end(pattern, text, begin);
      ++counts[text.substr(begin, end - begin)];
      begin = end;
    }
  }
  return counts;
}

Result<Counts> counted(WordCounter& counter, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    TRY(counter.add_text(text));
  }
  Counts counts;
  TRY(counter.finish([&](std::string_view word, std::int64_t count) {
    EXPECT_TRUE(counts.emplace(word, count).second) << word << " comes twice";
    return ok_status();
  }));
  return counts;
}

// Words, spaces, newlines and signs in all orders, with letters of one to four bytes.
std::string random_text(RandomStream& random, std::size_t size) {
  static constexpr std::string_view kParts[] = {"a",
                                                "The",
                                                " ",
                                                "  ",
                                                "\n",
                                                "\n\n",
                                                "\r\n",
                                                " \n",
                                                "\n ",
                                                "/",
                                                "'s",
                                                "12",
                                                "!!",
                                                "\t",
                                                "_",
                                                "Word",
                                                "\xC3\x9F",
                                                "\xE6\xB0\xB7",
                                                "\xF0\x90\x90\x80",
                                                "\xE2\x80\xA8",
                                                "\xE3\x80\x80",
                                                "\xCC\x88"};
  std::string text;
  while (text.size() < size) {
    text += kParts[random.next_below(std::size(kParts))];
  }
  return text;
}

TEST(WordCounter, CutsLongTextsWithoutATrace) {
  // Each text is many stretches long.
  RandomStream random(random_key(5, "long"), 0);
  const std::vector<std::string> texts = {random_text(random, 3'000'000), random_text(random, 1'000'000),
                                          "end"};
  for (const std::string_view regex : kRegexes) {
    const Pattern pattern = *find_pattern(regex);
    const Counts expected = counted_plainly(pattern, texts);
    for (const int num_threads : {1, 3}) {
      WordCounter counter({.pattern = pattern, .num_threads = num_threads});
      EXPECT_TRUE(counted(counter, texts).value() == expected) << regex << ", " << num_threads << " threads";
      EXPECT_EQ(counter.num_words(), static_cast<std::int64_t>(expected.size()));
    }
  }
}

TEST(WordCounter, CountsShortTextsOneByOne) {
  RandomStream random(random_key(6, "short"), 0);
  std::vector<std::string> texts;
  for (int i = 0; i < 20'000; ++i) {
    texts.push_back(random_text(random, random.next_below(60)));
  }
  for (const std::string_view regex : kRegexes) {
    const Pattern pattern = *find_pattern(regex);
    WordCounter counter({.pattern = pattern, .num_threads = 2});
    EXPECT_TRUE(counted(counter, texts).value() == counted_plainly(pattern, texts)) << regex;
  }
}

// The same pattern by its scanner and by the general way.
TEST(WordCounter, ASplitterCountsTheWordsOfItsPattern) {
  if (!has_regex_engine()) {
    GTEST_SKIP() << "built without PCRE2";
  }
  RandomStream random(random_key(7, "splitter"), 0);
  std::vector<std::string> texts = {random_text(random, 300'000)};
  for (int i = 0; i < 3000; ++i) {
    texts.push_back(random_text(random, random.next_below(60)));
  }
  for (const std::string_view regex : kRegexes) {
    std::vector<SplitStep> steps;
    steps.push_back({*parse_regex(regex), SplitBehavior::kIsolated, false});
    const Splitter splitter = std::move(Splitter::create(steps)).value();
    for (const int num_threads : {1, 3}) {
      WordCounter counter({.pattern = {}, .splitter = splitter, .num_threads = num_threads});
      EXPECT_TRUE(counted(counter, texts).value() == counted_plainly(*find_pattern(regex), texts)) << regex;
    }
  }
}

// More different words than a thread's table holds, some of them twice, some longer than the frequent ones may be.
std::vector<std::string> many_words() {
  std::vector<std::string> texts;
  for (int text = 0; text < 32; ++text) {
    std::string words;
    for (int i = 0; i < 10'000; ++i) {
      const int number = (text * 10'000 + i) % 300'000;
      words += " w" + std::string(static_cast<std::size_t>(number % 20), 'x');
      for (int digits = number; digits > 0; digits /= 10) {
        words += static_cast<char>('a' + digits % 10);
      }
    }
    texts.push_back(words);
  }
  return texts;
}

TEST(WordCounter, GoesOnInFilesWhenMemoryIsFull) {
  const Pattern pattern = *find_pattern(kTekkenRegex);
  const std::vector<std::string> texts = many_words();
  const Counts expected = counted_plainly(pattern, texts);
  ASSERT_EQ(expected.size(), 300'000U);
  for (const int num_threads : {1, 2}) {
    SimFileSystem files(1);
    WordCounter counter({.pattern = pattern,
                         .num_threads = num_threads,
                         .files = &files,
                         .folder = "out/words",
                         .memory_bytes = 1 << 20});
    EXPECT_TRUE(counted(counter, texts).value() == expected);
    EXPECT_GE(counter.num_files_written(), 2);
  }
}

TEST(WordCounter, SaysWhenFilesCannotBeWritten) {
  SimFileSystem files(1);
  files.set_free_bytes(1000);
  WordCounter counter({.pattern = *find_pattern(kTekkenRegex),
                       .num_threads = 2,
                       .files = &files,
                       .folder = "out/words",
                       .memory_bytes = 1 << 20});
  const Result<Counts> counts = counted(counter, many_words());
  ASSERT_FALSE(counts.ok());
  EXPECT_EQ(counts.status().code(), StatusCode::kCannotWrite);
}

TEST(WordCounter, StopsAtTheFirstErrorOfTheVisitor) {
  WordCounter counter({.pattern = *find_pattern(kTekkenRegex)});
  ASSERT_TRUE(counter.add_text("one two three").ok());
  int visits = 0;
  const Status status = counter.finish([&](std::string_view, std::int64_t) {
    ++visits;
    return bad_data("enough");
  });
  EXPECT_EQ(status.message(), "enough");
  EXPECT_EQ(visits, 1);
}

TEST(WordCounter, MayBeLeftUnfinished) {
  WordCounter counter({.pattern = *find_pattern(kTekkenRegex), .num_threads = 4});
  EXPECT_TRUE(counter.add_text(std::string(2'000'000, 'a')).ok());
}

}  // namespace
}  // namespace cairn::tokenizer
