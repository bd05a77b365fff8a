#include "formats/json_line.h"

#include <random>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/text.h"
#include "formats/json.h"

namespace cairn {
namespace {

using Kind = JsonLineReader::Kind;

TEST(JsonLine, ReadsTheWantedFields) {
  JsonLineReader reader({"text", "url", "metadata.licence", "n"});
  ASSERT_TRUE(reader
                  .read(" {\"id\": [1, {\"text\": 2}], \"url\":\"a\\/b\", \"metadata\": {\"x\": 1, "
                        "\"licence\": \"MIT\"},"
                        "\"text\": \"one\\ntwo \\u00e9\\ud83d\\ude00\", \"n\": -1.5e3} \r\n")
                  .ok());
  EXPECT_EQ(reader.value(0).text, "one\ntwo \u00E9\U0001F600");
  EXPECT_EQ(reader.value(0).kind, Kind::kString);
  EXPECT_EQ(reader.value(1).text, "a/b");
  EXPECT_EQ(reader.value(2).text, "MIT");
  EXPECT_EQ(reader.value(3).text, "-1.5e3");
  EXPECT_EQ(reader.value(3).kind, Kind::kOther);
  ASSERT_TRUE(reader.read("{\"metadata.licence\":\"dotted\",\"url\":null}").ok());
  EXPECT_EQ(reader.value(0).kind, Kind::kMissing);
  EXPECT_EQ(reader.value(1).kind, Kind::kNull);
  EXPECT_EQ(reader.value(2).text, "dotted");
  ASSERT_TRUE(reader.read("{}").ok());
  EXPECT_EQ(reader.value(2).kind, Kind::kMissing);
}

TEST(JsonLine, NamesMayHaveEscapes) {
  JsonLineReader reader({"text"});
  ASSERT_TRUE(reader.read("{\"te\\u0078t\":\"x\\\"y\",\"texts\":1}").ok());
  EXPECT_EQ(reader.value(0).text, "x\"y");
}

TEST(JsonLine, WhatIsNoJsonIsRefused) {
  for (const char* wrong : {"",
                            "[]",
                            "{",
                            "{\"text\"",
                            "{\"text\":}",
                            "{\"text\":\"a\"",
                            "{\"text\":\"a\"}}",
                            "{\"text\":\"a}",
                            "{\"text\":\"\\x\"}",
                            "{\"text\":\"\\u12g4\"}",
                            "{\"text\":\"\\ud800\"}",
                            "{\"text\":\"\\ude00\"}",
                            "{\"text\":\"\\ud800\\u0041\"}",
                            "{\"a\":01}",
                            "{\"a\":1.}",
                            "{\"a\":+1}",
                            "{\"a\":1e}",
                            "{\"a\":tru}",
                            "{\"a\":[1,]}",
                            "{\"a\":1,}",
                            "{a:1}",
                            "{\"a\" 1}",
                            "{\"text\":\"a\tb\"}",
                            "{\"text\":1,\"text\":2}",
                            "{\"text\":\"a\"} x",
                            "{\"a\":nul}"}) {
    JsonLineReader reader({"text"});
    const Status status = reader.read(wrong);
    EXPECT_EQ(status.code(), StatusCode::kBadData) << wrong;
    EXPECT_NE(status.message().find("byte"), std::string::npos) << status.message();
  }
  JsonLineReader reader({"text"});
  std::string deep = "{\"a\":";
  deep.append(64, '[').append(64, ']').append("}");
  EXPECT_FALSE(reader.read(deep).ok());
}

// Strings of every length and place of a special byte: the eight bytes at a time are as good as one at a time.
TEST(JsonLine, AgreesWithTheSmallReader) {
  std::mt19937 generator(5);
  const auto random = [&] { return static_cast<std::uint32_t>(generator()); };
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    const std::size_t length = random() % 40;
    while (text.size() < length) {
      const std::uint32_t kind = random() % 8;
      const char32_t c = kind == 0   ? random() % 0x20
                         : kind == 1 ? '"'
                         : kind == 2 ? '\\'
                         : kind == 3 ? 0x80 + random() % 0x700
                         : kind == 4 ? 0x1F600 + random() % 50
                                     : 0x20 + random() % 0x5F;
      append_utf8(text, c);
    }
    std::string line = "{\"text\":";
    append_json_string(line, text);
    line += ",\"url\":\"u\"}";
    JsonLineReader reader({"text", "url"});
    ASSERT_TRUE(reader.read(line).ok()) << line;
    EXPECT_EQ(reader.value(0).text, text);
    const std::size_t cut = random() % line.size();
    EXPECT_FALSE(reader.read(std::string_view(line).substr(0, cut)).ok()) << line << " cut at " << cut;
  }
}

}  // namespace
}  // namespace cairn
