#include "tokenizer/file_faults.h"

#include <array>

#include <gtest/gtest.h>

namespace cairn::tokenizer {
namespace {

Json parse(std::string_view text) {
  Result<Json> json = parse_json(text, {});
  EXPECT_TRUE(json.ok()) << json.status().message();
  return std::move(*json);
}

std::string told(const Faults& faults) {
  return faults.to_status(StatusCode::kBadData, "the file cannot be used").message();
}

TEST(FileFaults, ShowsLongAndNestedValuesShortly) {
  EXPECT_EQ(shown("abc"), "abc");
  EXPECT_LT(shown(std::string(100000, 'x')).size(), 200U);
  EXPECT_LT(shown_json(parse('"' + std::string(1000, 'x') + '"')).size(), 200U);
  EXPECT_EQ(shown_json(parse("[1, 2, 3]")), json_kind(parse("[]")));
}

TEST(FileFaults, NamesUnknownMembersAndSaysWhatIsSupported) {
  Faults faults;
  FileFaults file_faults(faults, "supported are squares");
  static constexpr std::array<std::string_view, 1> kKnown = {"side"};
  file_faults.check_keys("shape", parse(R"({"side": 1, "angle": 2})"), kKnown);
  EXPECT_FALSE(file_faults.empty());
  const std::string text = told(faults);
  EXPECT_NE(text.find("angle"), std::string::npos) << text;
  EXPECT_EQ(text.find("side\""), std::string::npos) << text;
}

TEST(FileFaults, FlagsAreTrueOrFalse) {
  Faults faults;
  FileFaults file_faults(faults, "");
  const Json object = parse(R"({"yes": true, "no": false, "odd": 3})");
  EXPECT_TRUE(file_faults.flag("f", object, "yes", false));
  EXPECT_FALSE(file_faults.flag("f", object, "no", true));
  EXPECT_TRUE(file_faults.flag("f", object, "absent", true));
  EXPECT_TRUE(file_faults.empty());
  file_faults.flag("f", object, "odd", false);
  EXPECT_NE(told(faults).find("odd"), std::string::npos);
}

TEST(FileFaults, KeepsTheFirstTwenty) {
  Faults faults;
  FileFaults file_faults(faults, "");
  for (int i = 0; i < 1000; ++i) {
    file_faults.add("entry" + std::to_string(i) + ".", "", "is wrong", "correct it");
  }
  EXPECT_NE(told(faults).find("entry19."), std::string::npos);
  EXPECT_EQ(told(faults).find("entry20."), std::string::npos);
}

}  // namespace
}  // namespace cairn::tokenizer
