#include "tokenizer/word_runs.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "doors/sim_file_system.h"

namespace cairn::tokenizer {
namespace {

using Counts = std::map<std::string, std::int64_t>;

WordTable table_of(const Counts& counts) {
  WordTable table;
  for (const auto& [word, count] : counts) {
    table.add(word, xxh3_64(word, 0), count);
  }
  return table;
}

Result<Counts> merged(WordRuns& runs) {
  Counts counts;
  std::string last;
  TRY(runs.merge([&](std::string_view word, std::int64_t count) {
    EXPECT_TRUE(counts.empty() || last < word) << "words are not in order";
    last = word;
    counts.emplace(word, count);
    return ok_status();
  }));
  return counts;
}

TEST(WordRuns, SumTheCountsOfMoreRunsThanAreKept) {
  SimFileSystem files(1);
  RandomStream random(random_key(3, "runs"), 0);
  Counts expected;
  {
    WordRuns runs(files, "folder/words");
    for (std::size_t run = 0; run < 2 * WordRuns::kRunsMax + 5; ++run) {
      std::array<WordTable, 2> tables;
      for (WordTable& table : tables) {
        Counts counts;
        for (int i = 0; i < 20; ++i) {
          counts[std::to_string(random.next_below(300))] +=
              static_cast<std::int64_t>(random.next_below(9) + 1);
        }
        for (const auto& [word, count] : counts) {
          expected[word] += count;
        }
        table = table_of(counts);
      }
      ASSERT_TRUE(runs.write(tables).ok());
      EXPECT_LE(files.list("folder/words").value().size(), WordRuns::kRunsMax);
    }
    EXPECT_EQ(merged(runs).value(), expected);
  }
  EXPECT_FALSE(files.exists("folder/words"));
}

TEST(WordRuns, HoldAnyWordAndAnyCount) {
  SimFileSystem files(1);
  WordRuns runs(files, "words");
  const Counts counts = {
      {std::string(3'000'000, 'a'), 1}, {std::string("\0\xFF\n", 3), std::int64_t{1} << 40}, {"b", 2}};
  const std::array<WordTable, 1> tables = {table_of(counts)};
  ASSERT_TRUE(runs.write(tables).ok());
  EXPECT_EQ(merged(runs).value(), counts);
}

TEST(WordRuns, RemoveWhatAKilledProcessLeft) {
  SimFileSystem files(1);
  ASSERT_TRUE(files.make_directories("words").ok());
  ASSERT_TRUE(files.replace_text("words/run-000000", "left over").ok());
  WordRuns runs(files, "words");
  const std::array<WordTable, 1> tables = {table_of({{"word", 1}})};
  ASSERT_TRUE(runs.write(tables).ok());
  EXPECT_EQ(merged(runs).value(), (Counts{{"word", 1}}));
}

TEST(WordRuns, SayWhenTheDiskIsFullOrAFileIsCutOff) {
  SimFileSystem files(1);
  const std::array<WordTable, 1> tables = {table_of({{"word", 1}, {"more", 1}})};
  WordRuns runs(files, "words");
  ASSERT_TRUE(runs.write(tables).ok());
  ASSERT_TRUE(files.replace_text("words/run-000000", "\x04").ok());
  EXPECT_EQ(merged(runs).status().code(), StatusCode::kBadData);
  files.set_free_bytes(3);
  EXPECT_EQ(runs.write(tables).code(), StatusCode::kCannotWrite);
}

}  // namespace
}  // namespace cairn::tokenizer
