#include "data/tokenize_journal.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

const TokenizeWork kWork = {
    {{"tokenizer", "t1"}, {"field", "text"}},
    {{"a.txt", DocumentUnit::kFile, 10, 1}, {"b.jsonl", DocumentUnit::kJsonLine, 20, 2}}};

TokenizeProgress some_progress() {
  TokenizeProgress progress;
  progress.place = {1, 7, 3};
  progress.shard = {4, 100, 900, 2};
  progress.counts = {4, 1, 2, 50};
  progress.filled = {3, 0};
  return progress;
}

void begin(FileSystem& files) {
  ASSERT_TRUE(files.make_directories(partial_folder("p")).ok());
  ASSERT_TRUE(begin_tokenize_journal(files, "p", kWork).ok());
  ASSERT_TRUE(commit_tokenize_journal(files, "p", some_progress()).ok());
}

TEST(TokenizeJournal, ReadsBackWhatWasCommitted) {
  SimFileSystem files(1);
  EXPECT_FALSE(load_tokenize_journal(files, "p", kWork).value().has_value());
  begin(files);
  const TokenizeProgress read = load_tokenize_journal(files, "p", kWork).value().value();
  EXPECT_EQ(read.place, some_progress().place);
  EXPECT_EQ(read.shard.num_tokens, 100);
  EXPECT_EQ(read.shard.num_blocks, 2);
  EXPECT_EQ(read.counts.text_bytes, 50);
  EXPECT_EQ(read.filled, some_progress().filled);
}

TEST(TokenizeJournal, OtherWorkIsRefusedWithEveryDifference) {
  SimFileSystem files(1);
  begin(files);
  TokenizeWork other = kWork;
  other.settings[0].second = "t2";
  other.inputs[0].bytes = 11;
  const Status status = load_tokenize_journal(files, "p", other).status();
  EXPECT_EQ(status.code(), StatusCode::kBadConfig);
  EXPECT_NE(status.message().find("t1"), std::string::npos);
  EXPECT_NE(status.message().find("a.txt"), std::string::npos);
  other = kWork;
  other.inputs.pop_back();
  EXPECT_EQ(load_tokenize_journal(files, "p", other).status().code(), StatusCode::kBadConfig);
}

TEST(TokenizeJournal, FilesThatWereNotReadYetMayChange) {
  SimFileSystem files(1);
  begin(files);
  TokenizeProgress progress = some_progress();
  progress.place = {1, 0, 0};
  ASSERT_TRUE(commit_tokenize_journal(files, "p", progress).ok());
  TokenizeWork mended = kWork;
  mended.inputs[1].bytes = 21;
  EXPECT_TRUE(load_tokenize_journal(files, "p", mended).ok());
  EXPECT_FALSE(load_tokenize_journal(files, "p",
                                     [&] {
                                       TokenizeWork renamed = mended;
                                       renamed.inputs[1].path = "c.jsonl";
                                       return renamed;
                                     }())
                   .ok());
}

TEST(TokenizeJournal, DamageIsNamed) {
  SimFileSystem files(1);
  begin(files);
  const std::string good = files.read_text(progress_file("p")).value();
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    ASSERT_TRUE(files.replace_text(progress_file("p"), damaged).ok());
    const Status status = load_tokenize_journal(files, "p", kWork).status();
    ASSERT_EQ(status.code(), StatusCode::kBadData) << damaged;
    ASSERT_NE(status.message().find("progress.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace cairn::data
