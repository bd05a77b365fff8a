#include "data/document_reader.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

struct Read {
  std::vector<std::string> documents;
  DocumentCounts counts;
  Status status;
};

Read read_all(const std::string& content, DocumentOptions options) {
  SimFileSystem files(1);
  CHECK(files.replace_text("f", content).ok(), "file not written");
  DocumentReader reader = std::move(DocumentReader::open(files, "f", std::move(options))).value();
  Read read;
  std::string document;
  while (true) {
    const Result<bool> more = reader.next(document);
    if (!more.ok() || !*more) {
      read.status = more.ok() ? ok_status() : more.status();
      break;
    }
    read.documents.push_back(document);
  }
  read.counts = reader.counts();
  return read;
}

using Texts = std::vector<std::string>;

TEST(DocumentReader, CutsFilesLinesAndParagraphs) {
  const std::string text = "one\ntwo\n\n \t\n\nthree\n\nfour";
  DocumentOptions options;
  EXPECT_EQ(read_all(text, options).documents, (Texts{text}));
  options.unit = DocumentUnit::kLine;
  const Read lines = read_all(text, options);
  EXPECT_EQ(lines.documents, (Texts{"one", "two", " \t", "three", "four"}));
  EXPECT_EQ(lines.counts.empty, 3);
  options.unit = DocumentUnit::kParagraph;
  EXPECT_EQ(read_all(text, options).documents, (Texts{"one\ntwo", "three", "four"}));
  EXPECT_TRUE(read_all("", options).documents.empty());
  EXPECT_TRUE(read_all("\n\n", options).documents.empty());
}

TEST(DocumentReader, ReadsAFieldOfJsonLines) {
  DocumentOptions options;
  options.unit = DocumentUnit::kJsonLine;
  options.field = "content";
  const Read read =
      read_all("{\"content\":\"a\\nb\",\"id\":1}\n\n{\"content\":\"\"}\n{\"content\":\"\\u00e9\"}", options);
  EXPECT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(read.documents, (Texts{"a\nb", "\u00E9"}));
  EXPECT_EQ(read.counts.empty, 1);
  for (const char* wrong : {"{\"text\":\"a\"}", "{\"content\":3}", "{\"content\":\"a\"", "[]"}) {
    const Read refused = read_all(std::string("{\"content\":\"x\"}\n") + wrong + "\n", options);
    EXPECT_EQ(refused.status.code(), StatusCode::kBadData) << wrong;
    EXPECT_NE(refused.status.message().find("f line 2"), std::string::npos) << refused.status.message();
  }
}

TEST(DocumentReader, BytesThatAreNotUtf8AreRefusedOrCounted) {
  DocumentOptions options;
  options.unit = DocumentUnit::kLine;
  const Read refused = read_all("good\nb\xFF\xFE d\n", options);
  EXPECT_EQ(refused.status.code(), StatusCode::kBadData);
  EXPECT_NE(refused.status.message().find("byte 6"), std::string::npos) << refused.status.message();
  options.replace_bad_bytes = true;
  const Read replaced = read_all("good\nb\xFF\xFE d\n", options);
  EXPECT_EQ(replaced.documents, (Texts{"good", "b\uFFFD\uFFFD d"}));
  EXPECT_EQ(replaced.counts.bad_bytes, 2);
}

TEST(DocumentReader, LongFilesAreReadInParts) {
  std::string text;
  Texts expected;
  for (int i = 0; i < 3000; ++i) {
    expected.push_back(std::string(static_cast<std::size_t>(i % 1500), static_cast<char>('a' + i % 26)) +
                       "!");
    text += expected.back() + "\n";
  }
  ASSERT_GT(text.size(), 2U << 20);
  DocumentOptions options;
  options.unit = DocumentUnit::kLine;
  EXPECT_EQ(read_all(text, options).documents, expected);
}

TEST(DocumentReader, DocumentsThatAreTooLongAreRefused) {
  DocumentOptions options;
  options.document_bytes_max = 10;
  for (const DocumentUnit unit : {DocumentUnit::kFile, DocumentUnit::kLine, DocumentUnit::kParagraph}) {
    options.unit = unit;
    EXPECT_EQ(read_all("12345678901234", options).status.code(), StatusCode::kBadData);
  }
}

TEST(DocumentReader, UnitsByName) {
  EXPECT_EQ(document_unit_for("a.jsonl"), DocumentUnit::kJsonLine);
  EXPECT_EQ(document_unit_for("a.txt"), DocumentUnit::kFile);
}

}  // namespace
}  // namespace cairn::data
