#include "tokenizer/model_json.h"

#include <gtest/gtest.h>

namespace cairn::tokenizer {
namespace {

// A whole model over the 256 byte letters is in tokenizer_test.cc; here a file may lack letters, which is a fault of its own.
std::string read(std::string_view text, TokenizerData& data) {
  const Result<CutTokenizerJson> file = cut_tokenizer_json(text);
  if (!file.ok()) {
    return file.status().message();
  }
  Faults faults;
  FileFaults file_faults(faults, "supported is this");
  ModelReader(data, file_faults).read(*file);
  return faults.to_status(StatusCode::kBadData, "the file cannot be used").message();
}

std::string fault_of(std::string_view model) {
  TokenizerData data;
  return read(R"({"model": )" + std::string(model) + "}", data);
}

TEST(ModelJson, CutsTheLargeMembersOut) {
  const Result<CutTokenizerJson> file = cut_tokenizer_json(
      R"({"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0, "\u0120b": 1}, "merges": ["a b"]}})");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->vocabulary, R"({"a": 0, "\u0120b": 1})");
  EXPECT_EQ(file->merges, R"(["a b"])");
  EXPECT_EQ(file->root.at("model").at("vocab").size(), 0U);
}

TEST(ModelJson, AbsentMembersAreEmpty) {
  const Result<CutTokenizerJson> file = cut_tokenizer_json(R"({"model": {"type": "BPE"}})");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->vocabulary, "");
  EXPECT_EQ(file->merges, "");
}

TEST(ModelJson, WhatIsNoJsonIsRefused) {
  for (const std::string_view text : {"", "{", R"({"model": {"vocab": {"a": 0})", R"({"a": 1, "a": 2})"}) {
    EXPECT_FALSE(cut_tokenizer_json(text).ok()) << text;
  }
}

TEST(ModelJson, FaultsNameTheEntry) {
  const auto names = [](std::string_view model, std::string_view what) {
    const std::string fault = fault_of(model);
    EXPECT_NE(fault.find(what), std::string::npos) << model << "\n" << fault;
  };
  names(R"({"type": "WordPiece", "vocab": {}, "merges": []})", "WordPiece");
  names(R"({"type": "BPE", "vocab": {"a": -1}, "merges": []})", "-1");
  names(R"({"type": "BPE", "vocab": {"a": 99999999999}, "merges": []})", "99999999999");
  names(R"({"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []})", "model.vocab");
  names(R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a q"]})", "model.merges");
  names(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]})", "model.merges");
  names(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1})", "dropout");
}

}  // namespace
}  // namespace cairn::tokenizer
