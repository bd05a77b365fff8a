#include "config/config_reader.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_text.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

enum class Colour : std::uint8_t { kRed, kBlue };
std::span<const std::string_view> enum_names(Colour /*value*/) {
  static constexpr std::string_view kNames[] = {"red", "blue"};
  return kNames;
}

struct Wheel {
  std::int64_t size = 16;
  std::string maker;
  static void visit_fields(Wheel& self, FieldVisitor& visitor) {
    visitor.field({.key = "size", .doc = "Diameter.", .unit = "inches", .min = 1, .max = 30}, self.size);
    visitor.field({.key = "maker", .doc = "Who made it."}, self.maker);
  }
};

struct Engine {
  double power = 1.5;
  std::optional<std::int64_t> limit;
  static void visit_fields(Engine& self, FieldVisitor& visitor) {
    visitor.field({.key = "power", .doc = "Power.", .unit = "kW", .min = 0, .is_min_exclusive = true},
                  self.power);
    visitor.field({.key = "limit", .doc = "Limit."}, self.limit);
    visitor.reserved({.key = "turbo", .doc = "More."});
  }
};

struct Car {
  bool is_fast = false;
  Colour colour = Colour::kRed;
  Engine engine;
  std::vector<Wheel> wheel;
  static void visit_fields(Car& self, FieldVisitor& visitor) {
    visitor.field({.key = "is_fast", .doc = "Fast."}, self.is_fast);
    visitor.table({.key = "engine", .doc = "The engine."}, self.engine);
    visitor.tables({.key = "wheel", .doc = "A wheel."}, self.wheel);
    visitor.field({.key = "colour", .doc = "Colour."}, self.colour);
    visitor.reserved({.key = "radio", .doc = "Music."});
  }
};

struct Read {
  Car car;
  ReadReport report;
};

Read read(const std::string& text, const std::vector<std::string>& overrides = {}) {
  Result<TomlValue> tree = parse_toml(text, TomlLimits{});
  EXPECT_TRUE(tree.ok()) << tree.status().message();
  Read result;
  for (const std::string& override_text : overrides) {
    apply_override(tree.value(), override_text, result.report);
  }
  read_config(tree.value(), result.car, result.report);
  return result;
}

std::string faults_of(const Read& result) {
  return result.report.faults.to_status(StatusCode::kBadConfig, "faults").message();
}

TEST(ConfigReader, FillsEveryKindOfField) {
  const Read result = read(
      "is_fast = true\ncolour = \"blue\"\n[engine]\npower = 3\nlimit = 7\n"
      "[[wheel]]\nsize = 20\n[[wheel]]\nmaker = \"x\"\n");
  EXPECT_EQ(faults_of(result), "");
  EXPECT_TRUE(result.car.is_fast);
  EXPECT_EQ(result.car.colour, Colour::kBlue);
  EXPECT_EQ(result.car.engine.power, 3.0);
  EXPECT_EQ(result.car.engine.limit, 7);
  ASSERT_EQ(result.car.wheel.size(), 2U);
  EXPECT_EQ(result.car.wheel[0].size, 20);
  EXPECT_EQ(result.car.wheel[1].size, 16);
  EXPECT_EQ(result.car.wheel[1].maker, "x");
}

TEST(ConfigReader, ReportsAllFaultsAtOnceWithLineAndSuggestion) {
  const Read result = read(
      "is_fasst = true\ncolour = \"bleu\"\nradio = 1\n[engine]\npower = 0\nturbo = true\n[[wheel]]\nsize = "
      "2.5\n"
      "maker = [1]\n[wheels]\n");
  EXPECT_EQ(result.report.faults.list().size(), 8U);
  const std::string text = faults_of(result);
  EXPECT_THAT(text, HasSubstr("is_fasst = true: line 1: there is no such key"));
  EXPECT_THAT(text, HasSubstr("did you mean is_fast?"));
  EXPECT_THAT(text, HasSubstr("colour = \"bleu\": line 2: must be one of \"red\", \"blue\""));
  EXPECT_THAT(text, HasSubstr("did you mean \"blue\"?"));
  EXPECT_THAT(text, HasSubstr("radio = 1: line 3: is not implemented yet"));
  EXPECT_THAT(text, HasSubstr("engine.power = 0: line 5: must be more than 0.0"));
  EXPECT_THAT(text, HasSubstr("engine.turbo = true: line 6: is not implemented yet"));
  EXPECT_THAT(text, HasSubstr("wheel.0.size = 2.5: line 8: must be an integer"));
  EXPECT_THAT(text, HasSubstr("wheel.0.maker: line 9: must be text in quotes (found: array)"));
  EXPECT_THAT(text, HasSubstr("wheels: line 10: there is no such key"));
}

TEST(ConfigReader, RefusesTablesWhereValuesBelongAndTheOtherWayRound) {
  const std::string text = faults_of(read("engine = 3\nwheel = [1, 2]\n[is_fast]\nx = 1\n"));
  EXPECT_THAT(text, HasSubstr("engine = 3: line 1: must be a table"));
  EXPECT_THAT(text, HasSubstr("wheel: line 2: must be an array of tables"));
  EXPECT_THAT(text, HasSubstr("is_fast: line 3: must be true or false (found: table)"));
}

TEST(ConfigReader, RefusesNumbersThatAreNotFinite) {
  EXPECT_THAT(faults_of(read("[engine]\npower = nan\n")), HasSubstr("must be a finite number"));
  EXPECT_THAT(faults_of(read("[engine]\npower = inf\n")), HasSubstr("must be a finite number"));
}

TEST(ConfigReader, KeepsTheValueAndMarksThePathOfAFault) {
  const Read result = read("[engine]\npowr = 4\n");
  EXPECT_EQ(result.car.engine.power, 1.5);
  EXPECT_TRUE(result.report.is_doubtful("engine.power"));
  EXPECT_TRUE(result.report.is_doubtful("engine"));
  EXPECT_FALSE(result.report.is_doubtful("engine.limit"));
  EXPECT_FALSE(result.report.is_doubtful("eng"));
}

TEST(ConfigOverride, ReplacesAddsAndAddressesElements) {
  const Read result = read("[[wheel]]\nsize = 20\n", {"wheel.0.size=11", "wheel.1.maker=plain text",
                                                      "is_fast=true", "engine.power = 2.5", "colour=blue"});
  EXPECT_EQ(faults_of(result), "");
  ASSERT_EQ(result.car.wheel.size(), 2U);
  EXPECT_EQ(result.car.wheel[0].size, 11);
  EXPECT_EQ(result.car.wheel[1].maker, "plain text");
  EXPECT_TRUE(result.car.is_fast);
  EXPECT_EQ(result.car.engine.power, 2.5);
  EXPECT_EQ(result.car.colour, Colour::kBlue);
}

TEST(ConfigOverride, MakesAnArrayOfTablesThatTheFileLacks) {
  const Read result = read("", {"wheel.0.size=12", "wheel.1.size=13"});
  EXPECT_EQ(faults_of(result), "");
  ASSERT_EQ(result.car.wheel.size(), 2U);
  EXPECT_EQ(result.car.wheel[1].size, 13);
}

TEST(ConfigOverride, NamesWhatIsWrong) {
  EXPECT_THAT(faults_of(read("", {"is_fast"})), HasSubstr("is not of the form key.key=value"));
  EXPECT_THAT(faults_of(read("", {"a..b=1"})), HasSubstr("is not of the form key.key=value"));
  EXPECT_THAT(faults_of(read("", {"wheel.5.size=1"})), HasSubstr("there is no place named 5"));
  EXPECT_THAT(faults_of(read("is_fast = true", {"is_fast.x=1"})), HasSubstr("there is no place named x"));
  EXPECT_THAT(faults_of(read("", {"engine.power=fast"})),
              HasSubstr("engine.power = \"fast\": --set: must be a number"));
  // A value cannot smuggle in further lines of TOML.
  EXPECT_THAT(faults_of(read("", {"engine.power=1\nis_fast=true"})), HasSubstr("must be a number"));
}

}  // namespace
}  // namespace cairn
