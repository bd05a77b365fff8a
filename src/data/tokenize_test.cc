#include "data/tokenize.h"

#include <random>

#include <gtest/gtest.h>

#include "data/token_shard.h"
#include "doors/sim_file_system.h"
#include "formats/document_origins.h"
#include "tokenizer/bpe_trainer.h"

namespace cairn::data {
namespace {

tokenizer::Tokenizer some_tokenizer() {
  tokenizer::BpeTrainerOptions options;
  options.vocab_size = 270;
  tokenizer::BpeTrainer trainer = std::move(tokenizer::BpeTrainer::create(options)).value();
  CHECK(trainer.add_text("the cat and the hat, the cat and the bat").ok(), "not trained");
  return tokenizer::Tokenizer::from_json(trainer.train().value().files.tokenizer_json).value();
}

std::string some_lines(std::uint32_t seed, int count) {
  std::mt19937 random(seed);
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += R"({"url":"https://example.org/)" + std::to_string(i) + R"(","text":")";
    for (std::size_t word = random() % 30; word > 0; --word) {
      text += random() % 2 == 0 ? "the cat " : "\\u00e9 and\\n";
    }
    text += "\"}\n";
  }
  return text;
}

TokenizeRequest request_for(FileSystem& files, int num_threads) {
  const std::vector<std::string> paths = {"a.jsonl", "b.txt", "c.jsonl"};
  TokenizeRequest request;
  request.prefix = "out/shard";
  request.inputs = list_text_inputs(files, paths, std::nullopt).value().inputs;
  request.text.columns = {"url"};
  request.column_names = {"url"};
  request.tokenizer_hash = "t";
  request.num_threads = num_threads;
  request.commit_every_s = 0;
  return request;
}

void write_inputs(FileSystem& files, int lines) {
  CHECK(files.replace_text("a.jsonl", some_lines(1, lines)).ok(), "not written");
  CHECK(files.replace_text("b.txt", "the cat").ok(), "not written");
  CHECK(files.replace_text("c.jsonl", some_lines(2, lines)).ok(), "not written");
}

Result<TokenizeResult> run(FileSystem& files, const TokenizeRequest& request) {
  SimClock clock(0);
  return tokenize(files, clock, some_tokenizer(), request, [](const auto&, std::int64_t, std::int64_t) {});
}

std::string all_bytes(FileSystem& files) {
  std::string all;
  for (const char* path : {"out/shard.bin", "out/shard.idx", "out/shard.origins"}) {
    const Result<std::string> bytes = files.read_text(path);
    all += bytes.ok() ? *bytes : bytes.status().message();
  }
  return all;
}

TEST(Tokenize, TheShardDoesNotDependOnTheThreads) {
  std::string expected;
  for (const int num_threads : {1, 2, 5}) {
    SimFileSystem files(1);
    write_inputs(files, 20'000);
    const Result<TokenizeResult> result = run(files, request_for(files, num_threads));
    ASSERT_TRUE(result.ok()) << result.status().message();
    const std::string bytes = all_bytes(files);
    EXPECT_TRUE(expected.empty() || bytes == expected);
    expected = bytes;
    EXPECT_EQ(files.all_files().size(), 6U);
    const DocumentOrigins origins = DocumentOrigins::open(files, "out/shard.origins").value();
    EXPECT_EQ(origins.num_documents(), result->progress.shard.num_documents);
    EXPECT_EQ(origins.num_tokens(), TokenShard::open(files, "out/shard").value().num_tokens());
    EXPECT_EQ(origins.names().sources, (std::vector<std::string>{"a.jsonl", "b.txt", "c.jsonl"}));
    EXPECT_EQ(result->progress.filled[0], result->progress.shard.num_documents - 1);
  }
}

// Stopped at many operations of the disk, by a kill or a crash: the same call then ends with the same bytes.
TEST(Tokenize, StoppedWorkGoesOnWithTheSameBytes) {
  SimFileSystem whole(1);
  write_inputs(whole, 20'000);
  const std::int64_t begun = whole.num_operations();
  ASSERT_TRUE(run(whole, request_for(whole, 2)).ok());
  const std::int64_t num_operations = whole.num_operations();
  for (std::int64_t k = begun; k < num_operations + 5; k += 7) {
    SimFileSystem files(static_cast<std::uint64_t>(k));
    write_inputs(files, 20'000);
    const TokenizeRequest request = request_for(files, 2);
    files.stop_at(k);
    const bool was_done = run(files, request).ok();
    k % 2 == 0 ? files.crash() : files.kill_process();
    files.clear_faults();
    if (was_done) {
      continue;
    }
    const Result<TokenizeResult> again = run(files, request_for(files, 1));
    ASSERT_TRUE(again.ok() ||
                (again.status().code() == StatusCode::kCannotWrite && files.exists("out/shard.idx")))
        << "operation " << k << ": " << again.status().message();
    ASSERT_TRUE(all_bytes(files) == all_bytes(whole)) << "operation " << k;
  }
}

TEST(Tokenize, BadTextIsNamedAndWhatWasCommittedStays) {
  SimFileSystem files(1);
  write_inputs(files, 60'000);
  const std::string good = files.read_text("c.jsonl").value();
  ASSERT_TRUE(files.replace_text("c.jsonl", good + "{\"text\": 3}\n").ok());
  const Result<TokenizeResult> refused = run(files, request_for(files, 2));
  EXPECT_EQ(refused.status().code(), StatusCode::kBadData);
  EXPECT_NE(refused.status().message().find("c.jsonl line 60001"), std::string::npos)
      << refused.status().message();
  EXPECT_NE(refused.status().message().find("out/shard.partial"), std::string::npos)
      << refused.status().message();
  EXPECT_FALSE(files.exists("out/shard.bin"));
  TokenizeRequest request = request_for(files, 2);
  request.restart = true;
  EXPECT_EQ(run(files, request).status().code(), StatusCode::kBadData);
}

TEST(Tokenize, NothingIsLeftOfWorkThatCommittedNothing) {
  SimFileSystem files(1);
  write_inputs(files, 1);
  ASSERT_TRUE(files.replace_text("b.txt", "\xFF").ok());
  EXPECT_NE(run(files, request_for(files, 1)).status().message().find("b.txt: not UTF-8 at byte 0"),
            std::string::npos);
  EXPECT_FALSE(files.exists("out/shard.partial"));
}

TEST(Tokenize, AFullDiskLosesNothing) {
  SimFileSystem files(1);
  write_inputs(files, 20'000);
  files.set_free_bytes(2'000'000);
  EXPECT_EQ(run(files, request_for(files, 2)).status().code(), StatusCode::kCannotWrite);
  files.clear_faults();
  ASSERT_TRUE(run(files, request_for(files, 2)).ok());
  SimFileSystem whole(1);
  write_inputs(whole, 20'000);
  ASSERT_TRUE(run(whole, request_for(whole, 2)).ok());
  EXPECT_TRUE(all_bytes(files) == all_bytes(whole));
}

}  // namespace
}  // namespace cairn::data
