#include "data/text_batch.h"

#include <random>

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

std::vector<TextInput> list(FileSystem& files, std::vector<std::string> paths, DocumentUnit unit) {
  return list_text_inputs(files, paths, unit).value().inputs;
}

struct Read {
  std::vector<std::string> pieces;
  std::vector<TextPlace> ends;  // of batches
  Status status;
};

Read read_from(FileSystem& files, const std::vector<TextInput>& inputs, TextPlace begin,
               TextOptions options = {}) {
  TextBatchReader reader(files, inputs, std::move(options), begin, static_cast<std::int64_t>(inputs.size()));
  TextBatch batch;
  Read read;
  while (true) {
    const Result<bool> more = reader.next(batch);
    if (!more.ok() || !*more) {
      read.status = more.status();
      return read;
    }
    for (const TextPiece& piece : batch.pieces) {
      read.pieces.push_back(batch.bytes.substr(piece.begin, piece.size));
    }
    read.ends.push_back(batch.end);
  }
}

std::string join(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) {
    all += part;
  }
  return all;
}

std::string random_lines(std::uint32_t seed, std::size_t size) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) {
    const std::size_t length = random() % 20 == 0 ? random() % 400'000 : random() % 3000;
    text += std::string(length, static_cast<char>('a' + random() % 26)) + (random() % 5 == 0 ? "\n\n" : "\n");
  }
  return text;
}

// From every batch's end the rest is cut as it was: the promise that lets work be taken up again.
TEST(TextBatch, CutsDependOnThePlaceAlone) {
  SimFileSystem files(1);
  std::vector<std::string> paths;
  std::string all;
  for (std::uint32_t i = 0; i < 5; ++i) {
    const std::string text = i == 3 ? "" : random_lines(i, i == 1 ? 500 : 3'000'000);
    paths.push_back("f" + std::to_string(i));
    ASSERT_TRUE(files.replace_text(paths.back(), text).ok());
    all += text;
  }
  for (const DocumentUnit unit : {DocumentUnit::kFile, DocumentUnit::kLine, DocumentUnit::kParagraph}) {
    const std::vector<TextInput> inputs = list(files, paths, unit);
    const Read whole = read_from(files, inputs, {});
    ASSERT_TRUE(whole.status.ok()) << whole.status.message();
    EXPECT_EQ(join(whole.pieces), all);
    ASSERT_GE(whole.ends.size(), 3U);
    for (std::size_t i = 0; i < whole.ends.size(); ++i) {
      const Read rest = read_from(files, inputs, whole.ends[i]);
      ASSERT_EQ(rest.ends.size(), whole.ends.size() - i - 1);
      EXPECT_TRUE(std::equal(rest.ends.begin(), rest.ends.end(),
                             whole.ends.end() - static_cast<std::ptrdiff_t>(rest.ends.size())));
      EXPECT_TRUE(all.ends_with(join(rest.pieces)));
    }
  }
}

TEST(TextBatch, PiecesEndBetweenDocuments) {
  SimFileSystem files(1);
  ASSERT_TRUE(files.replace_text("f", random_lines(9, 5'000'000)).ok());
  for (const std::string& piece : read_from(files, list(files, {"f"}, DocumentUnit::kLine), {}).pieces) {
    EXPECT_EQ(piece.back(), '\n');
  }
  for (const std::string& piece : read_from(files, list(files, {"f"}, DocumentUnit::kParagraph), {}).pieces) {
    EXPECT_TRUE(piece.ends_with("\n\n") || piece.ends_with('\n'));
    EXPECT_NE(piece.front(), '\0');
  }
}

TEST(TextBatch, LinesAreCounted) {
  SimFileSystem files(1);
  const std::string text = random_lines(4, 3'000'000);
  ASSERT_TRUE(files.replace_text("f", text).ok());
  const std::vector<TextInput> inputs = list(files, {"f"}, DocumentUnit::kLine);
  for (const TextPlace& end : read_from(files, inputs, {}).ends) {
    if (end.input == 0) {
      EXPECT_EQ(end.line, std::count(text.begin(), text.begin() + end.offset, '\n'));
    }
  }
}

TEST(TextBatch, WhatIsTooLongOrChangedIsNamed) {
  SimFileSystem files(1);
  ASSERT_TRUE(files.replace_text("f", std::string(5'000'000, 'x')).ok());
  TextOptions options;
  options.document_bytes_max = 3'000'000;
  for (const DocumentUnit unit : {DocumentUnit::kFile, DocumentUnit::kLine, DocumentUnit::kParagraph}) {
    const Read read = read_from(files, list(files, {"f"}, unit), {}, options);
    EXPECT_EQ(read.status.code(), StatusCode::kBadData);
    EXPECT_NE(read.status.message().find("f: the document at byte 0"), std::string::npos)
        << read.status.message();
  }
  const std::vector<TextInput> inputs = list(files, {"f"}, DocumentUnit::kFile);
  ASSERT_TRUE(files.cut_file("f", 100).ok());
  EXPECT_EQ(read_from(files, inputs, {}).status.code(), StatusCode::kBadData);
  ASSERT_TRUE(files.remove_file("f").ok());
  EXPECT_EQ(read_from(files, inputs, {}).status.code(), StatusCode::kNoInput);
}

}  // namespace
}  // namespace cairn::data
