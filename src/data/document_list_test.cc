#include "data/document_list.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

const OriginNames kNames = {{"url", "licence"}, {"s"}};

// A block whose documents have these URLs, all under one licence.
OriginsBlock block_of(FileSystem& files, const std::vector<std::string>& urls) {
  DocumentOriginsWriter writer(kNames, files.append_to("o").value(), files.append_to("d").value(), {});
  CHECK(writer.begin().ok(), "not written");
  for (const std::string& url : urls) {
    const std::array<std::string_view, 2> columns = {url, "MIT"};
    CHECK(writer.add(0, 0, columns).ok(), "not written");
  }
  CHECK(writer.end_block().ok() && writer.finish(*files.open("d").value()).ok(), "not written");
  return DocumentOrigins::open(files, "o").value().read_block(0).value();
}

Result<DocumentList> read(SimFileSystem& files, ListKind kind, const std::string& text,
                          const std::string& column = "url") {
  CHECK(files.replace_text("list", text).ok(), "not written");
  return DocumentList::read(files, {kind, "list", column}, kNames, 10);
}

std::vector<std::int64_t> found(const DocumentList& list, const OriginsBlock& block) {
  std::vector<std::int64_t> entries;
  for (std::int64_t i = 0; i < block.num_documents(); ++i) {
    entries.push_back(list.find(i, block, i));
  }
  return entries;
}

using Found = std::vector<std::int64_t>;

TEST(DocumentList, HostsOfUrls) {
  EXPECT_EQ(host_of("https://User:pw@WWW.Example.org:8080/a?b#c"), "www.example.org");
  EXPECT_EQ(host_of("http://example.org"), "example.org");
  EXPECT_EQ(host_of("http://example.org.?q"), "example.org");
  EXPECT_EQ(host_of("http://[::1]:80/x"), "[::1]:80");
  EXPECT_EQ(host_of("example.org/a"), "");
  EXPECT_EQ(host_of(""), "");
}

TEST(DocumentList, DomainsTakeTheHostsBelowThem) {
  SimFileSystem files(1);
  const OriginsBlock block =
      block_of(files, {"https://example.org/a", "https://a.b.EXAMPLE.org:80/", "https://notexample.org/",
                       "https://org/", "", "https://other.net/example.org"});
  const DocumentList list =
      read(files, ListKind::kDomains, "# robots.txt\n\n*.Example.org\r\nnobody.net\n").value();
  EXPECT_EQ(found(list, block), (Found{0, 0, -1, -1, -1, -1}));
  EXPECT_EQ(list.entries(), (std::vector<std::string>{"*.Example.org", "nobody.net"}));
}

TEST(DocumentList, UrlsAreWhole) {
  SimFileSystem files(1);
  const OriginsBlock block =
      block_of(files, {"https://example.org/A#x", "https://example.org/a", "https://example.org/A/"});
  EXPECT_EQ(found(read(files, ListKind::kUrls, "HTTPS://EXAMPLE.org/A").value(), block), (Found{0, -1, -1}));
}

TEST(DocumentList, DocumentsByNumberAndColumnsByValue) {
  SimFileSystem files(1);
  const OriginsBlock block = block_of(files, {"a", "b", "c"});
  EXPECT_EQ(found(read(files, ListKind::kDocuments, "2\n0\n").value(), block), (Found{1, -1, 0}));
  EXPECT_EQ(found(read(files, ListKind::kValues, "GPL\nMIT\n", "licence").value(), block), (Found{1, 1, 1}));
}

TEST(DocumentList, LinesThatAreNoEntriesAreAllListed) {
  SimFileSystem files(1);
  const Status status = read(files, ListKind::kDomains, "good.org\nhttps://bad.org/\nalso bad\n").status();
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  for (const char* part : {"list line 2", "list line 3"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
  EXPECT_EQ(read(files, ListKind::kUrls, "no-scheme").status().code(), StatusCode::kBadData);
  for (const char* wrong : {"-1", "10", "x", "1.0"}) {
    EXPECT_EQ(read(files, ListKind::kDocuments, wrong).status().code(), StatusCode::kBadData) << wrong;
  }
  EXPECT_EQ(read(files, ListKind::kValues, "x", "language").status().code(), StatusCode::kBadConfig);
  EXPECT_EQ(DocumentList::read(files, {ListKind::kUrls, "gone", "url"}, kNames, 1).status().code(),
            StatusCode::kNoInput);
}

}  // namespace
}  // namespace cairn::data
