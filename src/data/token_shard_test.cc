#include "data/token_shard.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"
#include "tests/data/shard_fixture.h"

namespace cairn::data {
namespace {

using test::Document;
using test::some_documents;
using test::write_shard;

TEST(TokenShard, ReadsBackWhatWasWritten) {
  for (const std::int64_t vocab_size : {1000, 131'072}) {
    SimFileSystem files(1);
    const std::vector<Document> documents = some_documents(vocab_size);
    ASSERT_TRUE(write_shard(files, "corpus/part", vocab_size, documents).ok());
    const TokenShard shard = TokenShard::open(files, "corpus/part").value();
    EXPECT_EQ(shard.index().type, vocab_size == 1000 ? TokenType::kUint16 : TokenType::kInt32);
    ASSERT_EQ(shard.num_sequences(), 40);
    for (std::size_t i = 0; i < documents.size(); ++i) {
      const Document& document = documents[i];
      const std::size_t offset = document.size() / 3;
      Document ids(document.size() - offset);
      const Status status =
          shard.read(static_cast<std::int64_t>(i), static_cast<std::int64_t>(offset), vocab_size, ids);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_TRUE(std::equal(ids.begin(), ids.end(), document.begin() + static_cast<std::ptrdiff_t>(offset)));
    }
    files.crash();  // a finished shard is durable
    EXPECT_EQ(TokenShard::open(files, "corpus/part").value().fingerprint(), shard.fingerprint());
  }
}

TEST(TokenShard, IdsBeyondTheVocabularyAreNamedWithFileAndByte) {
  SimFileSystem files(6);
  ASSERT_TRUE(write_shard(files, "a", 1000, {{1, 2}, {3, 999, 4}}).ok());
  const TokenShard shard = TokenShard::open(files, "a").value();
  Document ids(3);
  const Status status = shard.read(1, 0, 500, ids);
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_NE(status.message().find("a.bin"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("999 at byte 6"), std::string::npos) << status.message();
}

TEST(TokenShard, DamageIsFound) {
  SimFileSystem files(7);
  ASSERT_TRUE(write_shard(files, "a", 1000, some_documents(1000)).ok());
  const std::string whole = TokenShard::open(files, "a").value().fingerprint();
  files.flip_bit("a.bin", 1000, 3);
  EXPECT_NE(TokenShard::open(files, "a").value().fingerprint(), whole);
  files.truncate("a.bin", 500);
  EXPECT_EQ(TokenShard::open(files, "a").status().code(), StatusCode::kBadData);
}

}  // namespace
}  // namespace cairn::data
