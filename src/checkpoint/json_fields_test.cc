#include "checkpoint/json_fields.h"

#include <string>

#include <gtest/gtest.h>

namespace cairn::checkpoint {
namespace {

TEST(FieldReader, ReadsMembersAndListsEveryFault) {
  const auto json = parse_json(
      R"({"a": 5, "b": -5, "c": 18446744073709551615, "d": 1e3, "e": "text", "f": [1], "g": {}, "h": "zz", "i": null})",
      JsonLimits{});
  ASSERT_TRUE(json.ok()) << json.status().message();
  Faults faults;
  FieldReader reader(&*json, "top", faults);
  EXPECT_EQ(reader.integer("a", 0), 5);
  EXPECT_EQ(reader.unsigned_integer("c"), 18446744073709551615U);
  EXPECT_EQ(reader.number("d"), 1000.0);
  EXPECT_EQ(reader.text("e"), "text");
  EXPECT_NE(reader.array("f"), nullptr);
  EXPECT_NE(reader.object("g"), nullptr);
  EXPECT_TRUE(faults.empty());
  EXPECT_EQ(reader.integer("b", 0), 0);         // out of range
  EXPECT_EQ(reader.unsigned_integer("b"), 0U);  // negative
  EXPECT_EQ(reader.integer("d", 0), 0);         // no integer
  EXPECT_EQ(reader.hash("h"), Hash128{});       // no digits
  EXPECT_EQ(reader.array("g"), nullptr);
  EXPECT_EQ(reader.object("f"), nullptr);
  EXPECT_EQ(reader.text("missing"), "");
  reader.finish();  // "i" was not asked for
  EXPECT_EQ(faults.list().size(), 8U);
  EXPECT_EQ(faults.list().back().field, "top.i");
}

TEST(FieldReader, WhatIsNoObjectIsOneFault) {
  const auto json = parse_json("[1, 2]", JsonLimits{});
  ASSERT_TRUE(json.ok());
  Faults faults;
  FieldReader reader(&*json, "", faults);
  reader.integer("a", 0);
  reader.finish();
  EXPECT_EQ(faults.list().size(), 1U);
}

}  // namespace
}  // namespace cairn::checkpoint
