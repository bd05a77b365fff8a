#include "formats/document_origins.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn {
namespace {

using Writer = DocumentOriginsWriter;

struct Row {
  std::int64_t source;
  std::int64_t offset;
  std::string url;
  std::string language;
};

// More distinct URLs in a block than a dictionary takes, few languages, a block with one language only.
std::vector<Row> some_rows() {
  std::vector<Row> rows;
  for (int i = 0; i < 1000; ++i) {
    rows.push_back({i / 400, i * 3, i % 7 == 0 ? "" : "https://example.org/" + std::to_string(i),
                    i < 700 ? (i % 3 == 0 ? "de" : "gsw") : "fr"});
  }
  return rows;
}

const OriginNames kNames = {{"url", "language"}, {"a.jsonl", "folder/b.txt", "c.parquet"}};

Writer open_writer(FileSystem& files, Writer::Position position = {}) {
  return Writer(kNames, files.append_to("f").value(), files.append_to("f.directory").value(), position);
}

Status add_rows(Writer& writer, std::span<const Row> rows) {
  for (const Row& row : rows) {
    const std::array<std::string_view, 2> columns = {row.url, row.language};
    TRY(writer.add(row.source, row.offset, columns));
    writer.add_tokens(std::as_bytes(std::span(row.url)), 2);
  }
  return writer.end_block();
}

Status write(FileSystem& files, const std::vector<Row>& rows) {
  Writer writer = open_writer(files);
  TRY(writer.begin());
  TRY(add_rows(writer, std::span(rows).first(700)));
  TRY(add_rows(writer, std::span(rows).subspan(700)));
  TRY(writer.sync());
  return writer.finish(*files.open("f.directory").value());
}

TEST(DocumentOrigins, ReadsBackWhatWasWritten) {
  SimFileSystem files(1);
  const std::vector<Row> rows = some_rows();
  ASSERT_TRUE(write(files, rows).ok());
  const Result<DocumentOrigins> origins = DocumentOrigins::open(files, "f");
  ASSERT_TRUE(origins.ok()) << origins.status().message();
  EXPECT_EQ(origins->num_documents(), 1000);
  EXPECT_EQ(origins->num_tokens(), 2000);
  EXPECT_EQ(origins->names().columns, kNames.columns);
  EXPECT_EQ(origins->names().sources, kNames.sources);
  EXPECT_EQ(origins->names().column_index("language"), 1);
  EXPECT_EQ(origins->names().column_index("licence"), -1);
  for (std::int64_t d = 0; d < 1000; ++d) {
    const std::int64_t b = origins->block_of(d);
    EXPECT_EQ(b, d < 700 ? 0 : 1);
    const OriginsBlock block = origins->read_block(b).value();
    const std::int64_t i = d - origins->blocks()[static_cast<std::size_t>(b)].first_document;
    const Row& row = rows[static_cast<std::size_t>(d)];
    EXPECT_EQ(block.source(i), row.source);
    EXPECT_EQ(block.offset(i), row.offset);
    EXPECT_EQ(block.column(0, i), row.url);
    EXPECT_EQ(block.column(1, i), row.language);
  }
}

TEST(DocumentOrigins, TokenChecksumsDoNotDependOnTheCut) {
  SimFileSystem files(1);
  const std::vector<Row> rows = some_rows();
  ASSERT_TRUE(write(files, rows).ok());
  std::string all;
  for (const Row& row : std::span(rows).first(700)) {
    all += row.url;
  }
  EXPECT_EQ(DocumentOrigins::open(files, "f").value().blocks()[0].tokens_checksum, xxh3_128(all).low);
}

TEST(DocumentOrigins, AWriterThatGoesOnWritesTheSameBytes) {
  SimFileSystem files(1);
  SimFileSystem halves(1);
  const std::vector<Row> rows = some_rows();
  ASSERT_TRUE(write(files, rows).ok());
  Writer::Position position;
  {
    Writer writer = open_writer(halves);
    ASSERT_TRUE(writer.begin().ok());
    ASSERT_TRUE(add_rows(writer, std::span(rows).first(700)).ok());
    ASSERT_TRUE(writer.sync().ok());
    position = writer.position();
  }
  Writer writer = open_writer(halves, position);
  ASSERT_TRUE(add_rows(writer, std::span(rows).subspan(700)).ok());
  ASSERT_TRUE(writer.finish(*halves.open("f.directory").value()).ok());
  EXPECT_EQ(halves.read_text("f").value(), files.read_text("f").value());
}

TEST(DocumentOrigins, NoDocumentsAreAFileToo) {
  SimFileSystem files(1);
  Writer writer = open_writer(files);
  ASSERT_TRUE(writer.begin().ok());
  ASSERT_TRUE(writer.end_block().ok());
  ASSERT_TRUE(writer.finish(*files.open("f.directory").value()).ok());
  EXPECT_EQ(DocumentOrigins::open(files, "f").value().num_documents(), 0);
}

// Whatever is damaged: an error that names the file, or (gaps between sections) the same content.
TEST(DocumentOrigins, EveryFlippedBitIsNoticed) {
  SimFileSystem files(1);
  ASSERT_TRUE(write(files, some_rows()).ok());
  const std::string good = files.read_text("f").value();
  for (std::size_t at = 0; at < good.size(); at += 5) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    ASSERT_TRUE(files.replace_text("g", damaged).ok());
    const Result<DocumentOrigins> origins = DocumentOrigins::open(files, "g");
    Status status = origins.status();
    for (std::int64_t b = 0; origins.ok() && status.ok() && b < 2; ++b) {
      status = origins->read_block(b).status();
    }
    ASSERT_EQ(status.code(), StatusCode::kBadData) << at;
    ASSERT_TRUE(status.message().starts_with("g")) << status.message();
  }
}

TEST(DocumentOrigins, EveryCutIsNoticed) {
  SimFileSystem files(1);
  ASSERT_TRUE(write(files, some_rows()).ok());
  const std::string good = files.read_text("f").value();
  for (std::size_t size = 0; size < good.size(); size += 7) {
    ASSERT_TRUE(files.replace_text("g", good.substr(0, size)).ok());
    ASSERT_EQ(DocumentOrigins::open(files, "g").status().code(), StatusCode::kBadData) << size;
  }
  EXPECT_EQ(DocumentOrigins::open(files, "missing").status().code(), StatusCode::kNoInput);
}

}  // namespace
}  // namespace cairn
