#include "train/document_list.h"

#include <array>

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"
#include "formats/document_origins.h"

namespace cairn::train {
namespace {

void write_origins(FileSystem& files, const std::string& prefix, const std::vector<std::string>& urls) {
  auto origins = files.create(prefix + ".origins").value();
  auto directory = files.create(prefix + ".directory").value();
  DocumentOriginsWriter writer({{"language", "url"}, {"text.jsonl"}}, std::move(origins),
                               std::move(directory), {});
  ASSERT_TRUE(writer.begin().ok());
  for (std::size_t i = 0; i < urls.size(); ++i) {
    const std::array<std::string_view, 2> columns = {"en", urls[i]};
    ASSERT_TRUE(writer.add(0, static_cast<std::int64_t>(i), columns).ok());
    if (i % 2 == 1) {
      ASSERT_TRUE(writer.end_block().ok());
    }
  }
  ASSERT_TRUE(writer.end_block().ok());
  ASSERT_TRUE(writer.sync().ok());
  const auto written = files.open(prefix + ".directory").value();
  ASSERT_TRUE(writer.finish(*written).ok());
}

TEST(DocumentList, NumbersUrlsAndDomains) {
  SimFileSystem files(1);
  write_origins(files, "a",
                {"https://x.org/1", "https://news.x.org/2", "https://notx.org/3", "https://y.org/4"});
  write_origins(files, "b", {"http://user@X.org:80/1", ""});
  const DocumentList list =
      resolve_document_list(files, "# opt-outs\n\nx.org\nhttps://y.org/4\nhttps://y.org/5\r\nb:1\n",
                            {"a", "b"})
          .value();
  ASSERT_EQ(list.documents.size(), 5U);
  EXPECT_EQ(list.documents[0].source, "b");
  EXPECT_EQ(list.documents[0].document, 1);
  EXPECT_EQ(list.documents[1].name, "x.org");
  EXPECT_EQ(list.documents[1].document, 0);
  EXPECT_EQ(list.documents[2].document, 1);
  EXPECT_EQ(list.documents[3].name, "https://y.org/4");
  EXPECT_EQ(list.documents[3].document, 3);
  EXPECT_EQ(list.documents[4].source, "b");
  EXPECT_EQ(list.unmatched, std::vector<std::string>{"https://y.org/5"});
}

TEST(DocumentList, NumbersNeedNoOrigins) {
  SimFileSystem files(1);
  EXPECT_EQ(resolve_document_list(files, "7\n", {"a"}).value().documents[0].document, 7);
  EXPECT_EQ(resolve_document_list(files, "x.org\n", {"a"}).status().code(), StatusCode::kNoInput);
}

TEST(DocumentList, FaultsNameTheLine) {
  SimFileSystem files(1);
  const Status several = resolve_document_list(files, "a:1\n7\n", {"a", "b"}).status();
  EXPECT_EQ(several.code(), StatusCode::kUsage);
  EXPECT_NE(several.message().find("line 2: '7': the run has 2 sources"), std::string::npos)
      << several.message();
  EXPECT_EQ(resolve_document_list(files, "a:-1\n", {"a"}).status().code(), StatusCode::kUsage);
  EXPECT_EQ(resolve_document_list(files, "something\n", {"a"}).status().code(), StatusCode::kUsage);
}

TEST(HostOf, IsTheHostAlone) {
  EXPECT_EQ(host_of("https://user@Www.Example.org:8080/x?y#z"), "www.example.org");
  EXPECT_EQ(host_of("https://example.org"), "example.org");
  EXPECT_EQ(host_of("example.org/x"), "");
}

}  // namespace
}  // namespace cairn::train
