#include "data/text_input.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn::data {
namespace {

using Paths = std::vector<std::string>;

Paths paths_of(const TextInputList& list) {
  Paths paths;
  for (const TextInput& input : list.inputs) {
    paths.push_back(input.path);
  }
  return paths;
}

void write_files(SimFileSystem& files) {
  ASSERT_TRUE(files.make_directories("corpus/b").ok());
  ASSERT_TRUE(files.make_directories("corpus/.hidden").ok());
  for (const char* path : {"corpus/z.txt", "corpus/a.jsonl.zst", "corpus/b/c.parquet", "corpus/b/d.png",
                           "corpus/.e.txt", "corpus/.hidden/f.txt", "notes.h"}) {
    ASSERT_TRUE(files.replace_text(path, "text").ok());
  }
}

TEST(TextInput, UnitsByName) {
  EXPECT_EQ(document_unit_for("a.jsonl"), DocumentUnit::kJsonLine);
  EXPECT_EQ(document_unit_for("a.json.gz"), DocumentUnit::kJsonLine);
  EXPECT_EQ(document_unit_for("a.txt"), DocumentUnit::kFile);
  EXPECT_EQ(document_unit_for("a.parquet"), DocumentUnit::kParquetRow);
  for (const char* name : {"file", "line", "paragraph", "jsonl", "parquet"}) {
    EXPECT_EQ(document_unit_name(document_unit_named(name).value()), name);
  }
  EXPECT_FALSE(document_unit_named("page").has_value());
}

TEST(TextInput, FoldersAreSearchedForText) {
  SimFileSystem files(1);
  write_files(files);
  const TextInputList list = list_text_inputs(files, Paths{"corpus", "notes.h"}, std::nullopt).value();
  EXPECT_EQ(paths_of(list), (Paths{"corpus/a.jsonl.zst", "corpus/b/c.parquet", "corpus/z.txt", "notes.h"}));
  EXPECT_EQ(list.num_ignored, 1);
  EXPECT_EQ(list.inputs[0].bytes, 4);
  EXPECT_EQ(list.inputs[3].unit, DocumentUnit::kFile);
  const TextInputList all = list_text_inputs(files, Paths{"corpus"}, DocumentUnit::kLine).value();
  EXPECT_EQ(paths_of(all),
            (Paths{"corpus/a.jsonl.zst", "corpus/b/c.parquet", "corpus/b/d.png", "corpus/z.txt"}));
  EXPECT_EQ(all.inputs[1].unit, DocumentUnit::kParquetRow);
}

TEST(TextInput, PatternsMatchPartByPart) {
  SimFileSystem files(1);
  write_files(files);
  EXPECT_EQ(paths_of(list_text_inputs(files, Paths{"corp*/*.txt"}, std::nullopt).value()),
            (Paths{"corpus/z.txt"}));
  EXPECT_EQ(paths_of(list_text_inputs(files, Paths{"corpus/?/c.parquet"}, std::nullopt).value()),
            (Paths{"corpus/b/c.parquet"}));
}

TEST(TextInput, AllFaultsAtOnce) {
  SimFileSystem files(1);
  write_files(files);
  const Status status =
      list_text_inputs(files, Paths{"gone.txt", "notes.h", "x*.txt"}, std::nullopt).status();
  EXPECT_EQ(status.code(), StatusCode::kNoInput);
  EXPECT_NE(status.message().find("gone.txt"), std::string::npos);
  EXPECT_NE(status.message().find("x*.txt"), std::string::npos);
  EXPECT_EQ(list_text_inputs(files, Paths{"notes.h", "notes.h"}, std::nullopt).status().code(),
            StatusCode::kUsage);
}

TEST(TextInput, ChangesAreNoticed) {
  SimFileSystem files(1);
  write_files(files);
  const TextInput input = list_text_inputs(files, Paths{"notes.h"}, std::nullopt).value().inputs[0];
  EXPECT_TRUE(check_unchanged(files, input).ok());
  ASSERT_TRUE(files.append_to("notes.h").value()->append(std::as_bytes(std::span("x", 1))).ok());
  EXPECT_EQ(check_unchanged(files, input).code(), StatusCode::kBadData);
  ASSERT_TRUE(files.cut_file("notes.h", 4).ok());  // as long as before
  EXPECT_NE(check_unchanged(files, input).message().find("notes.h"), std::string::npos);
  ASSERT_TRUE(files.remove_file("notes.h").ok());
  EXPECT_EQ(check_unchanged(files, input).code(), StatusCode::kNoInput);
}

}  // namespace
}  // namespace cairn::data
