#include "data/document_splitter.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

using Texts = std::vector<std::string>;

struct Read {
  Texts documents;
  std::vector<std::int64_t> offsets;
  Texts columns;
  DocumentCounts counts;
  Status status;
};

Read read_all(const std::string& content, DocumentUnit unit, const TextOptions& options = {}) {
  const std::vector<TextInput> inputs = {{"f", unit, static_cast<std::int64_t>(content.size()), 0}};
  TextBatch batch;
  batch.bytes = content;
  batch.pieces = {{TextPlace{}, 0, content.size(), 0}};
  DocumentSplitter splitter(inputs, options);
  Read read;
  read.status = splitter.split(batch, read.counts, [&](const Document& document) {
    read.documents.emplace_back(document.text);
    read.offsets.push_back(document.offset);
    read.columns.insert(read.columns.end(), document.columns.begin(), document.columns.end());
    return ok_status();
  });
  return read;
}

TEST(DocumentSplitter, CutsFilesLinesAndParagraphs) {
  const std::string text = "one\ntwo\n\n \t\n\nthree\n\nfour";
  EXPECT_EQ(read_all(text, DocumentUnit::kFile).documents, (Texts{text}));
  const Read lines = read_all(text, DocumentUnit::kLine);
  EXPECT_EQ(lines.documents, (Texts{"one", "two", " \t", "three", "four"}));
  EXPECT_EQ(lines.offsets, (std::vector<std::int64_t>{0, 4, 9, 13, 20}));
  EXPECT_EQ(lines.counts.empty, 3);
  const Read paragraphs = read_all(text, DocumentUnit::kParagraph);
  EXPECT_EQ(paragraphs.documents, (Texts{"one\ntwo", "three", "four"}));
  EXPECT_EQ(paragraphs.offsets, (std::vector<std::int64_t>{0, 13, 20}));
  EXPECT_TRUE(read_all("\n\n", DocumentUnit::kParagraph).documents.empty());
}

TEST(DocumentSplitter, ReadsFieldsOfJsonLines) {
  TextOptions options;
  options.field = "content";
  options.columns = {"url", "meta.licence"};
  const Read read = read_all(
      "{\"content\":\"a\\nb\",\"url\":\"u\"}\n\n{\"content\":\"\"}\n{\"meta\":{\"licence\":7},\"content\":"
      "\"\\u00e9\"}\n"
      "{\"content\":null}",
      DocumentUnit::kJsonLine, options);
  EXPECT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(read.documents, (Texts{"a\nb", "\u00E9"}));
  EXPECT_EQ(read.columns, (Texts{"u", "", "", "7"}));
  EXPECT_EQ(read.counts.empty, 2);
  EXPECT_EQ(read.counts.text_bytes, 5);
  for (const char* wrong : {"{\"text\":\"a\"}", "{\"content\":3}", "{\"content\":\"a\"", "[]"}) {
    const Read refused =
        read_all(std::string("{\"content\":\"x\"}\n") + wrong + "\n", DocumentUnit::kJsonLine, options);
    EXPECT_EQ(refused.status.code(), StatusCode::kBadData) << wrong;
    EXPECT_NE(refused.status.message().find("f line 2 (byte 16)"), std::string::npos)
        << refused.status.message();
  }
}

TEST(DocumentSplitter, BytesThatAreNotUtf8AreRefusedOrCounted) {
  const std::string text = "good\nb\xFF\xFE d\n";
  const Read refused = read_all(text, DocumentUnit::kLine);
  EXPECT_EQ(refused.status.code(), StatusCode::kBadData);
  EXPECT_NE(refused.status.message().find("byte 6"), std::string::npos) << refused.status.message();
  TextOptions options;
  options.replace_bad_bytes = true;
  const Read replaced = read_all(text, DocumentUnit::kLine, options);
  EXPECT_EQ(replaced.documents, (Texts{"good", "b\uFFFD\uFFFD d"}));
  EXPECT_EQ(replaced.counts.bad_bytes, 2);
}

TEST(DocumentSplitter, RowsBringTheirColumns) {
  const std::vector<TextInput> inputs = {{"f.parquet", DocumentUnit::kParquetRow, 9, 0}};
  TextBatch batch;
  batch.bytes = "onetwo";
  batch.pieces = {{{0, 5, 0}, 0, 3, 0}, {{0, 6, 0}, 3, 0, 1}, {{0, 7, 0}, 3, 3, 2}};
  batch.values = {"u1", "u2", "u3"};
  TextOptions options;
  options.columns = {"url"};
  DocumentCounts counts;
  Texts seen;
  DocumentSplitter splitter(inputs, options);
  ASSERT_TRUE(splitter
                  .split(batch, counts,
                         [&](const Document& document) {
                           seen.push_back(std::string(document.text) + std::string(document.columns[0]) +
                                          std::to_string(document.offset));
                           return ok_status();
                         })
                  .ok());
  EXPECT_EQ(seen, (Texts{"oneu15", "twou37"}));
  EXPECT_EQ(counts.empty, 1);
}

TEST(DocumentSplitter, DocumentsThatAreTooLongAreRefused) {
  TextOptions options;
  options.document_bytes_max = 10;
  for (const DocumentUnit unit : {DocumentUnit::kFile, DocumentUnit::kLine, DocumentUnit::kParagraph}) {
    EXPECT_EQ(read_all("12345678901234", unit, options).status.code(), StatusCode::kBadData);
  }
}

TEST(DocumentSplitter, WhatTheSinkSaysEndsIt) {
  const std::vector<TextInput> inputs = {{"f", DocumentUnit::kLine, 4, 0}};
  TextBatch batch;
  batch.bytes = "a\nb\n";
  batch.pieces = {{TextPlace{}, 0, 4, 0}};
  DocumentCounts counts;
  DocumentSplitter splitter(inputs, {});
  EXPECT_EQ(splitter.split(batch, counts, [](const Document&) { return io_error("full"); }).code(),
            StatusCode::kIo);
  EXPECT_EQ(counts.documents, 1);
}

}  // namespace
}  // namespace cairn::data
