#include "tokenizer/pre_tokenizer_json.h"

#include <string>

#include <gtest/gtest.h>

namespace cairn::tokenizer {
namespace {

struct Reading {
  TokenizerData data;
  std::string faults;  // "" for none
};

Reading read(const std::string& json) {
  const Result<Json> value = parse_json(json, JsonLimits{});
  EXPECT_TRUE(value.ok()) << json << value.status().message();
  Reading reading;
  Faults faults;
  FileFaults file_faults(faults, "supported is what the test says");
  read_pre_tokenizer(*value, reading.data, file_faults);
  reading.faults = faults.to_status(StatusCode::kBadData, "wrong").message();
  return reading;
}

std::string split(const std::string& pattern, const std::string& behavior = "Isolated") {
  return R"({"type": "Split", "pattern": )" + pattern + R"(, "behavior": ")" + behavior +
         R"(", "invert": false})";
}

std::string byte_level(bool use_regex) {
  return std::string(
             R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": )") +
         (use_regex ? "true}" : "false}");
}

std::string sequence(const std::string& steps) {
  return R"({"type": "Sequence", "pretokenizers": [)" + steps + "]}";
}

const std::string kQwen =
    R"({"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"})";

TEST(PreTokenizerJson, AKnownPatternAloneHasItsScanner) {
  const Reading plain = read(byte_level(true));
  EXPECT_EQ(plain.faults, "");
  EXPECT_FALSE(plain.data.splitter);
  EXPECT_EQ(plain.data.pattern.family, PatternFamily::kGpt2);
  EXPECT_FALSE(plain.data.prefixes_every_piece);
  const Reading qwen = read(sequence(split(kQwen) + "," + byte_level(false)));
  EXPECT_EQ(qwen.faults, "");
  EXPECT_FALSE(qwen.data.splitter);
  EXPECT_EQ(qwen.data.pattern.family, PatternFamily::kLetter);
  EXPECT_TRUE(qwen.data.prefixes_every_piece);
}

TEST(PreTokenizerJson, EverythingElseIsSplitFirst) {
  const std::string digits = R"({"type": "Digits", "individual_digits": true})";
  const Reading digits_first = read(sequence(digits + "," + byte_level(true)));
  EXPECT_EQ(digits_first.faults, "");
  EXPECT_TRUE(digits_first.data.splitter);
  EXPECT_EQ(digits_first.data.pattern.family, PatternFamily::kGpt2);
  const Reading nested = read(
      sequence(sequence(digits) + "," + split(R"({"String": "ab"})", "Removed") + "," + byte_level(false)));
  EXPECT_EQ(nested.faults, "");
  EXPECT_TRUE(nested.data.splitter);
  EXPECT_EQ(nested.data.pattern.family, PatternFamily::kWhole);
  if (has_regex_engine()) {
    const Reading merged = read(sequence(split(kQwen, "Contiguous") + "," + byte_level(false)));
    EXPECT_EQ(merged.faults, "");
    EXPECT_TRUE(merged.data.splitter);
  }
}

TEST(PreTokenizerJson, WhatIsNotImplementedIsRefusedByName) {
  const struct {
    std::string json;
    std::string_view part;
  } cases[] = {
      {"null", "has no ByteLevel step"},
      {sequence(split(kQwen)), "has no ByteLevel step"},
      {R"({"type": "Whitespace"})", "Whitespace"},
      {sequence(R"({"type": "Punctuation"},)" + byte_level(true)), "pretokenizers[0]"},
      {sequence(byte_level(true) + R"(,{"type": "Digits", "individual_digits": true})"),
       "comes after ByteLevel"},
      {sequence(split(R"({"Regex": "\\h+"})") + "," + byte_level(true)), "\\h"},
      {sequence(split(R"({"Regex": ""})") + "," + byte_level(true)), "neither a String nor a Regex"},
      {sequence(split(R"({"String": ""})") + "," + byte_level(true)), "neither a String nor a Regex"},
      {sequence(split(R"({"String": "a", "Regex": "b"})") + "," + byte_level(true)),
       "neither a String nor a Regex"},
      {sequence(split(R"({"String": "a"})", "isolated") + "," + byte_level(true)), "behavior"},
      {sequence(R"({"type": "Digits", "individual_digits": 1},)" + byte_level(true)), "individual_digits"},
      {sequence(R"({"type": "Digits", "other": 1},)" + byte_level(true)), "other"},
      {"3", "pre_tokenizer"},
  };
  for (const auto& c : cases) {
    const Reading reading = read(c.json);
    EXPECT_NE(reading.faults.find(c.part), std::string::npos) << c.json << ": " << reading.faults;
    EXPECT_FALSE(reading.data.splitter);
  }
}

TEST(PreTokenizerJson, AllFaultsAreListedAtOnce) {
  const Reading reading =
      read(sequence(split(R"({"Regex": "\\h+"})") + "," + split(R"({"Regex": "a*"})", "x") + "," +
                    R"({"type": "Metaspace"})" + "," + byte_level(true)));
  for (const std::string_view part : {"\\h", "no character at all", "behaviour", "Metaspace"}) {
    EXPECT_NE(reading.faults.find(part), std::string::npos) << part << " in " << reading.faults;
  }
}

TEST(PreTokenizerJson, StepsAreLimited) {
  std::string steps;
  for (int i = 0; i < 40; ++i) {
    steps += split(R"({"String": "a"})") + ",";
  }
  const Reading reading = read(sequence(steps + byte_level(true)));
  EXPECT_NE(reading.faults.find("one step more than 32"), std::string::npos) << reading.faults;
}

}  // namespace
}  // namespace cairn::tokenizer
