#include "data/shard_check.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "data/token_shard_writer.h"
#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

void write(FileSystem& files, const std::vector<std::vector<std::int32_t>>& documents) {
  TokenShardWriter writer =
      std::move(TokenShardWriter::create(files, "a", 1000, OriginNames{{}, {"s"}})).value();
  for (const std::vector<std::int32_t>& document : documents) {
    ASSERT_TRUE(writer.add_document(document).ok());
    ASSERT_TRUE(writer.add_origin(0, 0, {}).ok());
  }
  ASSERT_TRUE(writer.finish().ok());
}

ShardCheck check(FileSystem& files, ShardCheckRequest request = {}) {
  request.prefix = "a";
  const Result<ShardCheck> result = check_shard(files, request, [](std::int64_t, std::int64_t) {});
  CHECK(result.ok(), result.status().message().c_str());
  return *result;
}

TEST(ShardCheck, AGoodShardHasNoFaults) {
  SimFileSystem files(1);
  write(files, {{1, 2}, {3, 999, 2}, {}});
  const ShardCheck good = check(files, {"", 1000, 2});
  EXPECT_EQ(good.num_faults, 0) << good.faults.front();
  EXPECT_EQ(good.num_documents, 3);
  EXPECT_EQ(good.num_tokens, 5);
  EXPECT_EQ(good.largest_id, 999);
  EXPECT_EQ(good.empty_documents, 1);
  EXPECT_TRUE(good.has_origins);
}

TEST(ShardCheck, IdsBeyondTheVocabularyAreListedAll) {
  SimFileSystem files(1);
  write(files, {{1, 700}, {3, 2}, {800}});
  const ShardCheck bad = check(files, {"", 500, std::nullopt});
  EXPECT_EQ(bad.num_faults, 2);
  EXPECT_NE(bad.faults[0].find("700 at byte 2"), std::string::npos) << bad.faults[0];
  EXPECT_NE(bad.faults[1].find("800 at byte 8"), std::string::npos) << bad.faults[1];
}

TEST(ShardCheck, AMissingEosIsAFaultUnlessNoneHasOne) {
  SimFileSystem files(1);
  write(files, {{1, 2}, {3, 4}});
  const ShardCheck bad = check(files, {"", 1000, 2});
  ASSERT_EQ(bad.num_faults, 1);
  EXPECT_NE(bad.faults[0].find("document 1, which ends at byte 8"), std::string::npos) << bad.faults[0];
  const ShardCheck other = check(files, {"", 1000, 9});
  EXPECT_EQ(other.num_faults, 0);
  EXPECT_EQ(other.without_eos, 2);
}

// Ids that are in the vocabulary and yet not what was written: only the checksums know.
TEST(ShardCheck, EveryFlippedBitOfTheIdsIsFound) {
  for (std::int64_t at = 0; at < 8; ++at) {
    SimFileSystem files(1);
    write(files, {{1, 2}, {3, 4}});
    files.flip_bit("a.bin", at, 0);
    const ShardCheck bad = check(files);
    ASSERT_EQ(bad.num_faults, 1) << at;
    EXPECT_NE(bad.faults[0].find("a.bin"), std::string::npos);
  }
}

TEST(ShardCheck, OriginsOfAnotherShardAreFound) {
  SimFileSystem files(1);
  write(files, {{1, 2}, {3, 4}});
  const std::string origins = files.read_text("a.origins").value();
  for (const char* path : {"a.bin", "a.idx", "a.origins"}) {
    ASSERT_TRUE(files.remove_file(path).ok());
  }
  write(files, {{1, 2, 3}});
  ASSERT_TRUE(files.replace_text("a.origins", origins).ok());
  EXPECT_EQ(check(files).num_faults, 1);
  ASSERT_TRUE(files.cut_file("a.origins", 50).ok());
  EXPECT_NE(check(files).faults[0].find("a.origins"), std::string::npos);
  ASSERT_TRUE(files.remove_file("a.origins").ok());
  EXPECT_EQ(check(files).num_faults, 0);
  EXPECT_FALSE(check(files).has_origins);
}

TEST(ShardCheck, FaultsOfABrokenIndexAndOfItsOriginsAreListedAll) {
  SimFileSystem files(1);
  write(files, {{1, 2}, {3, 4}, {5, 6}, {7}, {8}});
  constexpr std::int64_t kHeader = 34;
  constexpr std::int64_t kOffsets = kHeader + 5 * 4;
  files.flip_bit("a.idx", kHeader + 4 + 3, 7);       // the length of sequence 1 is negative
  files.flip_bit("a.idx", kOffsets + 3 * 8, 0);      // sequence 3 begins elsewhere
  files.flip_bit("a.idx", kOffsets + 5 * 8 + 8, 4);  // a boundary of documents lies behind the end
  files.flip_bit("a.origins", files.open("a.origins").value()->size() - 60, 0);
  const ShardCheck bad = check(files);
  const auto told = [&](const std::string& part) {
    return std::any_of(bad.faults.begin(), bad.faults.end(),
                       [&](const std::string& fault) { return fault.find(part) != std::string::npos; });
  };
  for (const char* part : {"a.idx: sequence 1 has length -", "a.idx: sequence 3 begins at byte 13",
                           "a.idx: document boundary 1 is 17", "a.origins: "}) {
    EXPECT_TRUE(told(part)) << part << " is not in\n" << testing::PrintToString(bad.faults);
  }
  EXPECT_GE(bad.num_faults, 4);
}

TEST(ShardCheck, AShardThatIsNotThereIsNotDamaged) {
  SimFileSystem files(1);
  EXPECT_EQ(check_shard(files, {"a", 1000, std::nullopt}, nullptr).status().code(), StatusCode::kNoInput);
}

}  // namespace
}  // namespace cairn::data
