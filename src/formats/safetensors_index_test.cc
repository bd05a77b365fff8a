#include "formats/safetensors_index.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(SafetensorsIndex, RoundTripIsWhatSavePretrainedWrites) {
  SafetensorsIndex index;
  index.total_size = 123;
  index.weight_map = {{"b.weight", "model-00002-of-00002.safetensors"},
                      {"a.weight", "model-00001-of-00002.safetensors"}};
  const std::string text = safetensors_index_to_text(index);
  EXPECT_EQ(text,
            "{\n  \"metadata\": {\n    \"total_size\": 123\n  },\n  \"weight_map\": {\n"
            "    \"a.weight\": \"model-00001-of-00002.safetensors\",\n"
            "    \"b.weight\": \"model-00002-of-00002.safetensors\"\n  }\n}\n");
  const SafetensorsIndex back = parse_safetensors_index(text).value();
  EXPECT_EQ(back.weight_map, index.weight_map);
  EXPECT_EQ(back.total_size, 123);
  EXPECT_EQ(back.file_names().size(), 2U);
}

TEST(SafetensorsIndex, FloatTotalsOfOtherWritersAreRead) {
  EXPECT_EQ(
      parse_safetensors_index(R"({"metadata":{"total_size":1234.0},"weight_map":{}})").value().total_size,
      1234);
  EXPECT_EQ(parse_safetensors_index(R"({"weight_map":{"a":"b"}})").value().total_size, 0);
}

TEST(SafetensorsIndex, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name : {"../x", "/etc/passwd", "a/b", "..", ".", "", "a\\\\b", "a\\u0000b", "a\\nb"}) {
    const std::string text = std::string(R"({"weight_map":{"w":")") + name + "\"}}";
    EXPECT_EQ(parse_safetensors_index(text).status().code(), StatusCode::kBadData) << name;
  }
  for (const char* text :
       {"[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})",
        R"({"weight_map":{"a":"b","a":"c"}})", R"({"metadata":{"total_size":-1},"weight_map":{}})",
        R"({"metadata":{"total_size":1e300},"weight_map":{}})"}) {
    EXPECT_EQ(parse_safetensors_index(text).status().code(), StatusCode::kBadData) << text;
  }
}

TEST(SafetensorsIndex, ShardNames) {
  EXPECT_EQ(safetensors_shard_name("model", 0, 1), "model.safetensors");
  EXPECT_EQ(safetensors_shard_name("model", 0, 4), "model-00001-of-00004.safetensors");
  EXPECT_EQ(safetensors_shard_name("master", 3, 4), "master-00004-of-00004.safetensors");
}

}  // namespace
}  // namespace cairn
