#include "data/shard_filter.h"

#include <gtest/gtest.h>

#include "data/token_shard.h"
#include "data/token_shard_writer.h"
#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

// Document d has ids d, d, ..., one more than d; every third is of one site.
void write(FileSystem& files) {
  TokenShardWriter writer =
      std::move(TokenShardWriter::create(files, "a", 100'000, OriginNames{{"url"}, {"s"}})).value();
  for (std::int32_t d = 0; d < 90; ++d) {
    ASSERT_TRUE(writer.add_document(std::vector<std::int32_t>(static_cast<std::size_t>(d) + 1, d)).ok());
    const std::string url = (d % 3 == 0 ? "https://gone.org/" : "https://kept.org/") + std::to_string(d);
    const std::string_view column = url;
    ASSERT_TRUE(writer.add_origin(0, d * 10, std::span(&column, 1)).ok());
    if (d % 40 == 39) {
      ASSERT_TRUE(writer.end_block().ok());
    }
  }
  ASSERT_TRUE(writer.finish().ok());
}

Result<FilterReport> filter(FileSystem& files, std::vector<ListRequest> lists) {
  return filter_shard(files, {"a", "b", std::move(lists)}, [](std::int64_t, std::int64_t) {});
}

TEST(ShardFilter, KeepsAllOthersAndSaysWhatWent) {
  SimFileSystem files(1);
  write(files);
  ASSERT_TRUE(files.replace_text("robots", "gone.org\nunknown.org\n").ok());
  ASSERT_TRUE(files.replace_text("requests", "0\n1\n").ok());
  const Result<FilterReport> report =
      filter(files, {{ListKind::kDomains, "robots", "url"}, {ListKind::kDocuments, "requests", "url"}});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->documents_before, 90);
  EXPECT_EQ(report->documents_kept, 59);
  EXPECT_EQ(report->reasons[0].documents, 30);
  EXPECT_EQ(report->reasons[0].tokens, 30 + 3 * (29 * 30 / 2));
  EXPECT_EQ(report->reasons[0].entries_used, 1);
  EXPECT_EQ(report->reasons[1].documents, 1);  // document 0 went for the first reason
  EXPECT_EQ(report->tokens_before,
            report->tokens_kept + report->reasons[0].tokens + report->reasons[1].tokens);
  const TokenShard shard = TokenShard::open(files, "b").value();
  ASSERT_EQ(shard.num_sequences(), 59);
  const DocumentOrigins origins = DocumentOrigins::open(files, "b.origins").value();
  std::int64_t kept = 0;
  for (std::int32_t d = 2; d < 90; ++d) {
    if (d % 3 == 0) {
      continue;
    }
    std::vector<std::int32_t> ids(static_cast<std::size_t>(d) + 1);
    ASSERT_TRUE(shard.read(kept, 0, 100'000, ids).ok());
    EXPECT_EQ(ids, std::vector<std::int32_t>(ids.size(), d));
    const std::int64_t b = origins.block_of(kept);
    const OriginsBlock block = origins.read_block(b).value();
    const std::int64_t i = kept - origins.blocks()[static_cast<std::size_t>(b)].first_document;
    EXPECT_EQ(block.offset(i), d * 10);
    EXPECT_EQ(block.column(0, i), "https://kept.org/" + std::to_string(d));
    ++kept;
  }
  const std::string removed = files.read_text("b.removed.tsv").value();
  EXPECT_EQ(std::count(removed.begin(), removed.end(), '\n'), 32);
  EXPECT_NE(removed.find("\n3\t4\trobots\tgone.org\n"), std::string::npos) << removed;
  EXPECT_NE(files.read_text("b.filter.json").value().find("\"documents_kept\": 59"), std::string::npos);
}

TEST(ShardFilter, DamagedIdsAreNotCopied) {
  SimFileSystem files(1);
  write(files);
  ASSERT_TRUE(files.replace_text("requests", "0\n").ok());
  files.flip_bit("a.bin", 4001, 2);
  const Status status = filter(files, {{ListKind::kDocuments, "requests", "url"}}).status();
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_NE(status.message().find("a.bin: the ids from byte"), std::string::npos) << status.message();
  EXPECT_FALSE(files.exists("b.bin") || files.exists("b.partial"));
}

TEST(ShardFilter, NothingIsOverwrittenAndNoEmptyShardMade) {
  SimFileSystem files(1);
  write(files);
  ASSERT_TRUE(files.replace_text("all", "gone.org\nkept.org\n").ok());
  EXPECT_EQ(filter(files, {{ListKind::kDomains, "all", "url"}}).status().code(), StatusCode::kBadData);
  EXPECT_FALSE(files.exists("b.bin"));
  ASSERT_TRUE(files.replace_text("one", "5\n").ok());
  EXPECT_TRUE(filter(files, {{ListKind::kDocuments, "one", "url"}}).ok());
  EXPECT_EQ(filter(files, {{ListKind::kDocuments, "one", "url"}}).status().code(), StatusCode::kCannotWrite);
  ASSERT_TRUE(files.remove_file("a.origins").ok());
  const Status status = filter(files, {{ListKind::kDocuments, "one", "url"}}).status();
  EXPECT_EQ(status.code(), StatusCode::kNoInput);
  EXPECT_NE(status.message().find("cairn data tokenize"), std::string::npos) << status.message();
}

TEST(ShardFilter, TheReportIsJson) {
  FilterReport report;
  report.reasons.push_back({{ListKind::kUrls, "l", "url"}, 3, 2, 1, 7});
  const std::string json = filter_report_json({"a", "b", {}}, report);
  for (const char* part :
       {"\"shard\": \"a\"", "\"kind\": \"urls\"", "\"entries_used\": 2", "\"tokens\": 7"}) {
    EXPECT_NE(json.find(part), std::string::npos) << json;
  }
}

}  // namespace
}  // namespace cairn::data
