#include "formats/toml.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr TomlLimits kLimits = {};

std::string error_of(std::string_view text) {
  const Result<TomlValue> root = parse_toml(text, kLimits);
  EXPECT_FALSE(root.ok()) << text;
  EXPECT_EQ(root.status().code(), StatusCode::kBadConfig);
  return root.status().message();
}

TEST(Toml, TreeHasKindsPlacesAndTheOrderOfTheFile) {
  const TomlValue root =
      parse_toml(
          "[run]\nname = \"demo\"\nseed = 0x10\nrate = 1e-3\nfast = true\n"
          "[data]\nlist = [1, \"two\", {three = 3}]\n[[data.stage]]\na = 1\n[[data.stage]]\na = 2\n",
          kLimits)
          .value();
  ASSERT_EQ(root.table.size(), 2U);
  EXPECT_EQ(root.table[0].key, "run");
  const TomlValue& run = *root.find("run");
  ASSERT_EQ(run.table.size(), 4U);
  EXPECT_EQ(run.table[0].key, "name");
  EXPECT_EQ(run.table[3].key, "fast");
  EXPECT_EQ(run.find("name")->string, "demo");
  EXPECT_EQ(run.find("name")->line, 2);
  EXPECT_EQ(run.find("seed")->integer, 16);
  EXPECT_EQ(run.find("rate")->number, 1e-3);
  EXPECT_TRUE(run.find("fast")->boolean);
  EXPECT_EQ(run.find("fast")->kind_name(), "boolean");
  EXPECT_EQ(run.find("none"), nullptr);
  const TomlValue& data = *root.find("data");
  EXPECT_EQ(data.find("list")->array.at(2).find("three")->integer, 3);
  EXPECT_EQ(data.find("stage")->array.at(1).find("a")->integer, 2);
  EXPECT_EQ(data.find("stage")->array.at(1).find("a")->line, 11);
}

TEST(Toml, ErrorsNameTheLine) {
  EXPECT_NE(error_of("a = 1\nb = = 2\n").find("line 2"), std::string::npos);
  EXPECT_NE(error_of("a = 1\na = 2\n").find("line 2"), std::string::npos);
  EXPECT_NE(error_of("a = 1\nb = 2020-01-01\n").find("line 2, column 5: dates"), std::string::npos);
  EXPECT_NE(error_of("a = \"\xFF\"\n").find("not UTF-8"), std::string::npos);
  for (const char* text :
       {"a", "a =", "[a", "a = [1", "a = \"x", "a = {b = 1", "= 1", "a = 99999999999999999999", "a = 1.",
        "a = tru", "[a]\n[a]\n", "a.b = 1\na = 2\n"}) {
    EXPECT_EQ(error_of(text).rfind("line ", 0), 0U) << text;
  }
}

TEST(Toml, DepthAndSizeAreLimited) {
  std::string deep = "a = ";
  for (int i = 0; i < 100'000; ++i) {
    deep += '[';
  }
  error_of(deep);
  std::string dotted = "a";
  for (int i = 0; i < 200'000; ++i) {
    dotted += ".a";
  }
  EXPECT_NE(error_of(dotted + " = 1").find("dots"), std::string::npos);
  EXPECT_NE(error_of("[" + dotted + "]").find("dots"), std::string::npos);
  EXPECT_NE(error_of("x = {" + dotted + " = 1}").find("dots"), std::string::npos);
  EXPECT_NE(error_of("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1").find("deeper than 16"), std::string::npos);
  EXPECT_FALSE(parse_toml("a = 1", {3, 16}).ok());
}

TEST(Toml, DotsInStringsAndCommentsAreNoKeys) {
  const std::string dots(500, '.');
  const std::string text = "a = \"\\\"" + dots + "\" # " + dots + "\nb = '" + dots + "'\nc = \"\"\"\n" +
                           dots + "\\\"\"\"\"\nd = '''" + dots + "'''\n\"" + dots + "\" = 1\n";
  const Result<TomlValue> root = parse_toml(text, kLimits);
  ASSERT_TRUE(root.ok()) << root.status().message();
  EXPECT_EQ(root->table.size(), 5U);
}

TEST(Toml, EveryTruncationIsReadOrRefused) {
  const std::string text = "[a.b]\nc = [1, 2.5, {d = \"x\\n\"}]\ne = '''f\ng'''\n";
  ASSERT_TRUE(parse_toml(text, kLimits).ok());
  int num_refused = 0;
  for (std::size_t size = 0; size < text.size(); ++size) {
    num_refused += parse_toml(text.substr(0, size), kLimits).ok() ? 0 : 1;
  }
  EXPECT_GT(num_refused, 30);
}

TEST(Toml, SpecialFloatsAreFloats) {
  const TomlValue root = parse_toml("a = inf\nb = nan\n", kLimits).value();
  EXPECT_TRUE(std::isinf(root.find("a")->number));
  EXPECT_TRUE(std::isnan(root.find("b")->number));
}

TEST(Toml, LettersBeyondAsciiBelongInStrings) {
  error_of("\xD1\x9C#");
  error_of("caf\xC3\xA9 = 1");
  error_of("a = \xEF\xBF\xBD");
  const TomlValue root =
      parse_toml("a = \"\"\"\\\n\xD1\x9C\"\"\" # \xD1\x9C\n\"\xC3\xA9\" = 1\n", kLimits).value();
  EXPECT_EQ(root.find("a")->string, "\xD1\x9C");
  EXPECT_EQ(root.find("\xC3\xA9")->integer, 1);
}

TEST(Toml, WhatIsNoKeyIsNamed) {
  EXPECT_NE(error_of("[=]\na = 1\n").find("saw '='"), std::string::npos);
  EXPECT_NE(error_of("[[,]]\n").find("saw ','"), std::string::npos);
  error_of("a = {= 1}");
  error_of("\x01 = 1");
}

TEST(Toml, EmptyTextIsAnEmptyTable) {
  EXPECT_TRUE(parse_toml("", kLimits).value().table.empty());
  EXPECT_TRUE(parse_toml("# only\n", kLimits).value().table.empty());
}

}  // namespace
}  // namespace cairn
