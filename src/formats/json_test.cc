#include "formats/json.h"

#include <string>

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr JsonLimits kLimits = {1 << 20, 8};

std::string error_of(std::string_view text) {
  const Result<Json> json = parse_json(text, kLimits);
  EXPECT_FALSE(json.ok()) << text;
  EXPECT_EQ(json.status().code(), StatusCode::kBadData);
  return json.status().message();
}

TEST(Json, ReadsValuesInTheOrderOfTheFile) {
  const Json json = parse_json(R"({"z": 1, "a": [true, null, -2.5e3, "x\u00e9"], "m": {}})", kLimits).value();
  EXPECT_EQ(json_to_text(json, -1), "{\"z\":1,\"a\":[true,null,-2500.0,\"x\xC3\xA9\"],\"m\":{}}");
  EXPECT_EQ(json_to_text(parse_json("[1]", kLimits).value(), 2), "[\n  1\n]");
}

TEST(Json, AccessorsNeverThrow) {
  const Json json =
      parse_json(R"({"i": -7, "u": 18446744073709551615, "d": 3.0, "s": "t", "b": false})", kLimits).value();
  EXPECT_EQ(as_int64(*find(json, "i")), -7);
  EXPECT_FALSE(as_int64(*find(json, "u")).has_value());
  EXPECT_FALSE(as_int64(*find(json, "d")).has_value());
  EXPECT_EQ(as_double(*find(json, "i")), -7.0);
  EXPECT_EQ(as_double(*find(json, "u")), 18446744073709551615.0);
  EXPECT_EQ(as_string(*find(json, "s")), "t");
  EXPECT_FALSE(as_string(*find(json, "i")).has_value());
  EXPECT_EQ(as_bool(*find(json, "b")), false);
  EXPECT_FALSE(as_bool(*find(json, "s")).has_value());
  EXPECT_EQ(find(json, "missing"), nullptr);
  EXPECT_EQ(find(*find(json, "s"), "x"), nullptr);
  EXPECT_EQ(json_kind(json), "object");
  EXPECT_EQ(json_kind(*find(json, "i")), "integer");
  EXPECT_EQ(json_kind(*find(json, "d")), "number");
}

TEST(Json, ErrorsNameLineAndColumn) {
  EXPECT_NE(error_of("{\n  \"a\": 1,\n  \"a\": 2\n}").find("line 3"), std::string::npos);
  EXPECT_NE(error_of("{\n  \"a\": 1,\n  \"a\": 2\n}").find("'a' comes twice"), std::string::npos);
  EXPECT_NE(error_of("[1,\n x]").find("JSON line 2, column 2"), std::string::npos) << error_of("[1,\n x]");
}

TEST(Json, WrongTextsAreRefused) {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\":}", "nul", "1 2", "[1]]", "'a'", "{a:1}", "01", "+1",
                           "\"\\x\"", "\"a\nb\"", "[1e999]", "NaN", "// c\n1", "\"\\ud800\"", "{\"a\":1,}"}) {
    error_of(text);
  }
  error_of("\"\xFF\"");
  error_of("\"\xC0\x80\"");
  error_of("\"\xED\xA0\x80\"");
  error_of(std::string_view("\"a\0b\"", 5));
  error_of(std::string_view("{}\0x", 4));
  error_of(std::string_view("{}\0", 3));
}

TEST(Json, EveryTruncationIsRefused) {
  const std::string text = R"({"name": ["a\n\u20ac", {"b": -1.25e-3}], "c": [true, false, null]})";
  ASSERT_TRUE(parse_json(text, kLimits).ok());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(parse_json(text.substr(0, size), kLimits).ok()) << size;
  }
}

TEST(Json, DepthAndSizeAreLimited) {
  EXPECT_TRUE(parse_json("[[[[[[[[1]]]]]]]]", kLimits).ok());
  EXPECT_NE(error_of("[[[[[[[[[1]]]]]]]]]").find("deeper than 8"), std::string::npos);
  error_of(std::string(100'000, '['));
  std::string objects;
  for (int i = 0; i < 50'000; ++i) {
    objects += "{\"a\":";
  }
  error_of(objects);
  EXPECT_FALSE(parse_json("[1,2,3]", {4, 8}).ok());
}

// A vocabulary: what costs the square of the number of keys would take minutes here.
TEST(Json, HugeObjectsAreReadInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) {
    text += (i == 0 ? "\"key" : ",\"key") + std::to_string(i) + "\":" + std::to_string(i);
  }
  text += "}";
  const Result<Json> json = parse_json(text, {1 << 24, 8});
  ASSERT_TRUE(json.ok()) << json.status().message();
  EXPECT_EQ(json->size(), 200'000U);
  EXPECT_EQ(as_int64(*find(*json, "key199999")), 199'999);
  EXPECT_EQ(json_to_text(*json, -1), text);
}

TEST(Json, NumbersReadBackToTheSameValue) {
  for (const double value : {0.1, 1e-308, 5e-324, 1.7976931348623157e308, -0.0, 1e22, 123456789012345680.0}) {
    const std::string text = json_to_text(Json(value), -1);
    const Json back = parse_json(text, kLimits).value();
    EXPECT_EQ(as_double(back), value) << text;
  }
}

}  // namespace
}  // namespace cairn
