#include "tokenizer/regex_engine.h"

#include <gtest/gtest.h>

namespace cairn::tokenizer {
namespace {

TEST(RegexEngine, SearchesBytesOfAnyValue) {
  if (!has_regex_engine()) {
    GTEST_SKIP() << "built without PCRE2";
  }
  const auto engine = std::move(compile_engine("(?:[\\x00-\\x02]\\xff)+")).value();
  std::unique_ptr<EngineBuffers> buffers;
  RegexMatch match;
  const std::string bytes("\xff\x03\xff\x00\xff\x02\xff\x01", 8);
  ASSERT_TRUE(engine->find(bytes, 0, buffers, match).ok());
  EXPECT_EQ(match.begin, 3);
  EXPECT_EQ(match.end, 7);
  ASSERT_TRUE(engine->find(bytes, 4, buffers, match).ok());
  EXPECT_EQ(match.begin, 5);
  ASSERT_TRUE(engine->find(bytes, 7, buffers, match).ok());
  EXPECT_EQ(match.begin, RegexMatch::kNone);
}

TEST(RegexEngine, WhatDoesNotCompileSaysWhy) {
  const auto engine = compile_engine("(a");
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.status().code(), StatusCode::kBadData);
  EXPECT_NE(engine.status().message().find("PCRE2"), std::string::npos) << engine.status().message();
}

}  // namespace
}  // namespace cairn::tokenizer
