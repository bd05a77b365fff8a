#include "data/token_source.h"

#include <numeric>

#include <gtest/gtest.h>

#include "base/allocation_counter.h"
#include "data/batch_builder.h"
#include "data/sample_chain.h"
#include "data/token_shard_writer.h"
#include "doors/file_system.h"
#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

constexpr std::int64_t kVocabSize = 1000;

// 30 documents; the id of a token is its place in the file.
void write_shard(FileSystem& files, const std::string& prefix) {
  TokenShardWriter writer = std::move(TokenShardWriter::create(files, prefix, kVocabSize)).value();
  std::int32_t next = 0;
  for (int i = 0; i < 30; ++i) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(i % 7 * 3));
    std::iota(ids.begin(), ids.end(), next);
    next += static_cast<std::int32_t>(ids.size());
    CHECK(writer.add_document(ids).ok(), "document refused");
  }
  CHECK(writer.finish().ok(), "shard not written");
}

TokenSourceOptions options_of(std::int64_t sequence, bool shuffle) {
  TokenSourceOptions options;
  options.vocab_size = kVocabSize;
  options.order.sequence = sequence;
  options.order.seed = 28;
  options.order.shuffle = shuffle;
  options.order.keep_tail = !shuffle;
  return options;
}

TEST(TokenSource, UnshuffledSamplesAreTheFile) {
  SimFileSystem files(1);
  write_shard(files, "s");
  const TokenSource source = std::move(TokenSource::open(files, "s", options_of(8, false))).value();
  std::vector<std::int32_t> tokens(9);
  std::int64_t total = 0;
  for (std::int64_t sample = 0; sample < source.num_samples(); ++sample) {
    const std::int64_t num_valid = source.read_sample(sample, tokens).value();
    for (std::int64_t i = 0; i < 9; ++i) {
      EXPECT_EQ(tokens[static_cast<std::size_t>(i)], i < num_valid ? sample * 8 + i : 0);
    }
    total += num_valid - 1;
  }
  EXPECT_EQ(total, source.num_tokens() - 1);
}

TEST(TokenSource, ShuffledSamplesFollowTheOrder) {
  SimFileSystem files(2);
  write_shard(files, "s");
  const TokenSource source = std::move(TokenSource::open(files, "s", options_of(5, true))).value();
  const std::vector<std::int64_t>& offsets = source.shard().index().offsets;
  std::vector<std::int32_t> tokens(6);
  for (std::int64_t sample = 0; sample < source.num_samples(); ++sample) {
    ASSERT_EQ(source.read_sample(sample, tokens).value(), 6);
    std::size_t at = 0;
    for (const TokenSpan& span : source.order().locate(sample)) {
      for (std::int64_t i = 0; i < span.count; ++i) {
        EXPECT_EQ(tokens[at++], offsets[static_cast<std::size_t>(span.document)] / 2 + span.offset + i);
      }
    }
  }
}

TEST(TokenSource, ReadingAndFillingAllocateNothing) {
  const std::unique_ptr<FileSystem> files = make_real_file_system();
  const std::string folder = testing::TempDir() + "cairn-token-source";
  ASSERT_TRUE(files->remove_tree(folder).ok());
  write_shard(*files, folder + "/s");
  const TokenSource source =
      std::move(TokenSource::open(*files, folder + "/s", options_of(16, true))).value();
  BatchOptions batch_options;
  batch_options.eod_id = 2;
  batch_options.goldfish.enabled = true;
  const BatchBuilder builder(batch_options);
  std::vector<std::int32_t> tokens(17);
  std::vector<std::int32_t> ids(4 * 16);
  std::vector<float> mask(16);
  const auto part = [&](std::size_t i) { return make_view(std::span(ids).subspan(16 * i, 16), {1, 16}); };
  MutableBatch batch{part(0), part(1), make_view(std::span(mask), {1, 16}), part(2), part(3)};
  SampleChain chain;
  const std::uint64_t before = allocation_count().allocations;
  for (std::int64_t sample = 0; sample < source.num_samples(); ++sample) {
    const Result<std::int64_t> num_valid = source.read_sample(sample, tokens);
    CHECK(num_valid.ok(), num_valid.status().message());
    builder.fill_row(tokens, *num_valid, 0, batch);
    chain.add(0, sample, hash_tokens(tokens));
  }
  EXPECT_EQ(allocation_count().allocations, before);
  ASSERT_TRUE(files->remove_tree(folder).ok());
}

TEST(TokenSource, ErrorsNameTheFile) {
  SimFileSystem files(3);
  EXPECT_EQ(TokenSource::open(files, "none", options_of(8, true)).status().code(), StatusCode::kNoInput);
  write_shard(files, "s");
  const Status too_long = TokenSource::open(files, "s", options_of(100'000, true)).status();
  EXPECT_EQ(too_long.code(), StatusCode::kBadData);
  EXPECT_EQ(too_long.message().find("s: "), 0U) << too_long.message();
  TokenSourceOptions small = options_of(8, false);
  small.vocab_size = 100;
  const TokenSource source = std::move(TokenSource::open(files, "s", small)).value();
  std::vector<std::int32_t> tokens(9);
  EXPECT_TRUE(source.read_sample(0, tokens).ok());
  const Status beyond = source.read_sample(source.num_samples() - 1, tokens).status();
  EXPECT_EQ(beyond.code(), StatusCode::kBadData);
  EXPECT_NE(beyond.message().find("s.bin"), std::string::npos) << beyond.message();
}

}  // namespace
}  // namespace cairn::data
