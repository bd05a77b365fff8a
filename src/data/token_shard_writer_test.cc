#include "data/token_shard_writer.h"

#include <gtest/gtest.h>

#include "data/token_shard.h"
#include "doors/sim_file_system.h"
#include "tests/data/shard_fixture.h"

namespace cairn::data {
namespace {

using test::Document;
using test::some_documents;
using test::write_shard;

TEST(TokenShardWriter, IsNeverOverwritten) {
  SimFileSystem files(2);
  ASSERT_TRUE(write_shard(files, "a", 100, {{1, 2}}).ok());
  EXPECT_EQ(write_shard(files, "a", 100, {{3}}).code(), StatusCode::kCannotWrite);
  EXPECT_EQ(TokenShard::open(files, "a").value().num_tokens(), 2);
}

TEST(TokenShardWriter, AnAbandonedWriterLeavesNothing) {
  SimFileSystem files(3);
  {
    TokenShardWriter writer = std::move(TokenShardWriter::create(files, "a", 100)).value();
    EXPECT_EQ(writer.add_document(Document{5, 100}).code(), StatusCode::kBadData);
  }
  EXPECT_TRUE(files.all_files().empty());
}

TEST(TokenShardWriter, AFullDiskLeavesNoShard) {
  SimFileSystem files(4);
  files.set_free_bytes(1000);
  EXPECT_EQ(write_shard(files, "a", 1000, some_documents(1000)).code(), StatusCode::kCannotWrite);
  files.clear_faults();
  EXPECT_TRUE(files.all_files().empty());
  EXPECT_EQ(TokenShard::open(files, "a").status().code(), StatusCode::kNoInput);
}

TEST(TokenShardWriter, ACrashLeavesAWholeShardOrNone) {
  const std::vector<Document> documents = {{1, 2, 3}, {}, {4}};
  SimFileSystem counting(5);
  ASSERT_TRUE(write_shard(counting, "d/a", 100, documents).ok());
  const std::int64_t num_operations = counting.num_operations();
  ASSERT_GT(num_operations, 5);
  for (std::int64_t k = 0; k < num_operations; ++k) {
    for (std::uint64_t seed = 100; seed < 116;
         ++seed) {  // the odd ones kill the process, the even ones the power
      SimFileSystem files(seed);
      files.stop_at(k);
      EXPECT_FALSE(write_shard(files, "d/a", 100, documents).ok());
      seed % 2 == 0 ? files.crash() : files.kill_process();
      files.clear_faults();
      if (files.exists("d/a.idx")) {
        const Result<TokenShard> shard = TokenShard::open(files, "d/a");
        ASSERT_TRUE(shard.ok()) << k << ", seed " << seed << ": " << shard.status().message();
        EXPECT_EQ(shard->num_tokens(), 4);
      } else {  // what is left is in nobody's way
        const Status again = write_shard(files, "d/a", 100, documents);
        ASSERT_TRUE(again.ok()) << k << ", seed " << seed << ": " << again.message();
        EXPECT_EQ(files.all_files().size(), 2U);
      }
    }
  }
}

TEST(TokenShardWriter, AFailureBetweenTheTwoRenamesLeavesNothing) {
  const std::vector<Document> documents = {{1, 2, 3}};
  SimFileSystem counting(6);
  ASSERT_TRUE(write_shard(counting, "a", 100, documents).ok());
  const std::int64_t num_operations = counting.num_operations();
  for (std::int64_t k = 0; k < num_operations; ++k) {
    SimFileSystem files(6);
    files.fail_at(k, {StatusCode::kIo, "the disk does not answer"});
    EXPECT_EQ(write_shard(files, "a", 100, documents).code(), StatusCode::kIo);
    if (!files.exists("a.idx")) {  // what fails later fails at tidying up behind a whole shard
      EXPECT_TRUE(files.all_files().empty()) << k;
    }
  }
}

TEST(TokenShardWriter, ABinAloneIsNotOursToRemove) {
  SimFileSystem files(7);
  ASSERT_TRUE(files.replace_text("a.bin", "somebody's ids").ok());
  EXPECT_EQ(write_shard(files, "a", 100, {{3}}).code(), StatusCode::kCannotWrite);
  EXPECT_EQ(*files.read_text("a.bin"), "somebody's ids");
}

const OriginNames kNames = {{"url"}, {"source.txt"}};

Status add_with_origins(TokenShardWriter& writer, std::span<const Document> documents, std::int64_t first) {
  for (const Document& document : documents) {
    TRY(writer.add_document(document));
    const std::string url = "u" + std::to_string(first);
    const std::string_view column = url;
    TRY(writer.add_origin(0, first++, std::span(&column, 1)));
  }
  return writer.end_block();
}

// Every place where a kill can come, before and after a commit: what goes on from the commit ends with the same bytes.
TEST(TokenShardWriter, AResumedShardHasTheSameBytes) {
  const std::vector<Document> documents = some_documents(1000);
  const auto first = std::span(documents).first(25);
  const auto rest = std::span(documents).subspan(25);
  const auto begin = [&](FileSystem& files) -> Result<TokenShardWriter> {
    TRY_ASSIGN(TokenShardWriter writer, TokenShardWriter::create(files, "d/a", 1000, kNames));
    writer.keep();
    TRY(add_with_origins(writer, first, 0));
    return writer;
  };
  SimFileSystem whole(1);
  TokenShardWriter whole_writer = std::move(begin(whole)).value();
  const TokenShardWriter::Position position = whole_writer.commit().value();
  const std::int64_t begun = whole.num_operations();
  ASSERT_TRUE(add_with_origins(whole_writer, rest, 25).ok());
  ASSERT_TRUE(whole_writer.finish().ok());
  const std::int64_t num_operations = whole.num_operations();
  for (std::int64_t k = begun; k < num_operations; ++k) {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      SimFileSystem files(seed);
      files.stop_at(k);
      {
        TokenShardWriter writer = std::move(begin(files)).value();
        ASSERT_TRUE(writer.commit().ok());
        Status status = add_with_origins(writer, rest, 25);
        status = status.ok() ? writer.finish() : status;
        EXPECT_FALSE(status.ok());
      }
      seed % 2 == 0 ? files.crash() : files.kill_process();
      files.clear_faults();
      if (!files.exists("d/a.idx")) {
        Result<TokenShardWriter> writer = TokenShardWriter::resume(files, "d/a", 1000, kNames, position);
        ASSERT_TRUE(writer.ok()) << k << ": " << writer.status().message();
        ASSERT_TRUE(add_with_origins(*writer, rest, 25).ok());
        ASSERT_TRUE(writer->finish().ok());
      }
      for (const char* path : {"d/a.bin", "d/a.idx", "d/a.origins"}) {
        ASSERT_EQ(files.read_text(path).value(), whole.read_text(path).value())
            << path << ", operation " << k;
      }
    }
  }
}

TEST(TokenShardWriter, ResumableWorkIsNotOverwritten) {
  SimFileSystem files(3);
  ASSERT_TRUE(files.make_directories(partial_folder("a")).ok());
  ASSERT_TRUE(files.replace_text(progress_file("a"), "{}").ok());
  EXPECT_EQ(write_shard(files, "a", 100, {{1}}).code(), StatusCode::kCannotWrite);
  EXPECT_TRUE(files.exists(progress_file("a")));
}

TEST(TokenShardWriter, OneWriterAtATime) {
  SimFileSystem files(3);
  const TokenShardWriter writer = std::move(TokenShardWriter::create(files, "a", 100)).value();
  EXPECT_EQ(TokenShardWriter::create(files, "a", 100).status().code(), StatusCode::kTransient);
}

TEST(TokenShardWriter, IdsBecomeTheBytesOfTheFile) {
  std::vector<std::byte> bytes;
  ASSERT_TRUE(append_token_bytes(Document{1, 258}, 1000, bytes).ok());
  EXPECT_EQ(bytes, (std::vector<std::byte>{std::byte{1}, std::byte{0}, std::byte{2}, std::byte{1}}));
  for (const std::int32_t wrong : {-1, 1000}) {
    const Status status = append_token_bytes(Document{5, wrong}, 1000, bytes);
    EXPECT_NE(status.message().find(std::to_string(wrong)), std::string::npos);
    EXPECT_EQ(bytes.size(), 4U);
  }
}

}  // namespace
}  // namespace cairn::data
