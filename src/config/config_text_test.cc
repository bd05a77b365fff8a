#include "config/config_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_reader.h"

namespace cairn {
namespace {

struct Inner {
  double rate = 1e-5;
  std::string note = "a \"quoted\"\n\tline \x7f";
  static void visit_fields(Inner& self, FieldVisitor& visitor) {
    visitor.field(
        {.key = "rate", .doc = "Rate.", .unit = "1/s", .min = 0, .max = 1, .is_max_exclusive = true},
        self.rate);
    visitor.field({.key = "note", .doc = "Note."}, self.note);
  }
};

struct Outer {
  std::vector<Inner> part;
  Inner inner;
  bool is_on = true;
  std::int64_t count = -3;
  std::optional<double> maybe;
  static void visit_fields(Outer& self, FieldVisitor& visitor) {
    visitor.tables({.key = "part", .doc = "A part."}, self.part);
    visitor.table({.key = "inner", .doc = "The inside."}, self.inner);
    visitor.field({.key = "is_on", .doc = "On."}, self.is_on);
    visitor.field({.key = "count", .doc = "How many."}, self.count);
    visitor.field({.key = "maybe", .doc = "Perhaps."}, self.maybe);
    visitor.reserved({.key = "later", .doc = "Some day."});
  }
};

Outer read(const std::string& text) {
  const Result<TomlValue> tree = parse_toml(text, TomlLimits{});
  EXPECT_TRUE(tree.ok()) << tree.status().message() << "\n" << text;
  Outer config;
  ReadReport report;
  read_config(tree.value(), config, report);
  EXPECT_TRUE(report.faults.empty()) << report.faults.to_status(StatusCode::kBadConfig, "").message();
  return config;
}

TEST(ConfigText, ScalarsAreTomlThatReadsBackAlike) {
  EXPECT_EQ(scalar_to_toml(true), "true");
  EXPECT_EQ(scalar_to_toml(std::int64_t{-42}), "-42");
  EXPECT_EQ(scalar_to_toml(8.0), "8.0");
  EXPECT_EQ(scalar_to_toml(0.1), "0.1");
  EXPECT_EQ(scalar_to_toml(std::string("a\\\"\x01")), "\"a\\\\\\\"\\u0001\"");
  EXPECT_EQ(scalar_to_toml(Scalar{}), "");
}

TEST(ConfigText, PrintedConfigurationReadsBackEqual) {
  Outer config;
  config.part.resize(2);
  config.part[1].rate = 0.25;
  config.maybe = 1.0 / 3.0;
  config.count = std::numeric_limits<std::int64_t>::min();
  const std::string text = config_to_toml(config);
  EXPECT_EQ(flatten_config(read(text)), flatten_config(config)) << text;
  // Leaves come before inner tables, or they would belong to those.
  EXPECT_LT(text.find("is_on"), text.find("[[part]]"));
}

TEST(ConfigText, HashDependsOnValuesOnly) {
  const Outer config;
  EXPECT_EQ(hash_config(config), hash_config(read("# a comment\ncount =   -3\n")));
  Outer other = config;
  other.inner.rate = 2e-5;
  EXPECT_FALSE(hash_config(config) == hash_config(other));
}

TEST(ConfigText, DiffNamesChangedAddedAndRemovedFields) {
  Outer left;
  Outer right;
  left.inner.rate = 0.5;
  right.part.resize(1);
  const auto differences = diff_fields(flatten_config(left), flatten_config(right));
  ASSERT_EQ(differences.size(), 3U);
  EXPECT_EQ(differences[0].path, "inner.rate");
  EXPECT_EQ(differences[0].left, "0.5");
  EXPECT_EQ(differences[0].right, "1e-05");
  EXPECT_EQ(differences[1].path, "part.0.rate");
  EXPECT_EQ(differences[1].left, "");
}

TEST(ConfigText, DocumentsEveryFieldOnceElementsToo) {
  const std::vector<FieldDocument> fields = document_config<Outer>();
  std::vector<std::string> paths;
  for (const FieldDocument& field : fields) {
    paths.push_back(field.path);
    EXPECT_FALSE(field.doc.empty()) << field.path;
  }
  EXPECT_THAT(paths, ::testing::ElementsAre("part", "part.rate", "part.note", "inner", "inner.rate",
                                            "inner.note", "is_on", "count", "maybe", "later"));
  EXPECT_EQ(fields[0].header, "[[part]]");
  EXPECT_EQ(fields[1].type, "a number, at least 0.0 and less than 1.0");
  EXPECT_EQ(fields[1].unit, "1/s");
  EXPECT_EQ(fields[1].default_value, "1e-05");
  EXPECT_TRUE(fields[9].is_reserved);
}

}  // namespace
}  // namespace cairn
