#include "checkpoint/tensor_set.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doors/sim_file_system.h"
#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

void write_file(FileSystem& files, const std::string& path, const std::vector<SafetensorsEntry>& entries) {
  const auto written = write_durable_file(
      files, path, Hasher(), [&](WritableFile& file) { return write_safetensors(file, entries, {}); });
  ASSERT_TRUE(written.ok()) << written.status().message();
}

TEST(TensorSet, FindsTensorsOfSeveralFilesByName) {
  SimFileSystem files(1);
  const std::vector<float> values = {1.0F, 2.0F};
  const std::vector<float> others = {1.0F, 3.0F};
  const auto a = make_const_view(std::span(values), {2});
  const auto b = make_const_view(std::span(others), {2});
  write_file(files, "/one", {{"d", a, {}}, {"b", a, {}}});
  write_file(files, "/two", {{"a", a, {}}, {"c", b, {}}, {"b", b, {}}});
  TensorSet set;
  Faults faults;
  ASSERT_TRUE(set.add_file(files, "/", "one", faults).ok());
  EXPECT_TRUE(faults.empty());
  ASSERT_TRUE(set.add_file(files, "/", "two", faults).ok());
  EXPECT_THAT(faults.to_status(StatusCode::kBadData, "").message(), ::testing::HasSubstr("tensor 'b'"));
  ASSERT_EQ(set.list().size(), 4U);
  for (const char* name : {"a", "b", "c", "d"}) {
    ASSERT_NE(set.find(name), nullptr) << name;
  }
  EXPECT_EQ(set.find("b")->file, "one");
  EXPECT_EQ(set.find("e"), nullptr);
  std::vector<float> read(2);
  ASSERT_TRUE(set.read_as_float32(*set.find("c"), make_view(std::span(read), {2})).ok());
  EXPECT_EQ(read, others);
  EXPECT_TRUE(*set.has_same_bytes(*set.find("a"), *set.find("d")));
  EXPECT_FALSE(*set.has_same_bytes(*set.find("a"), *set.find("c")));
}

TEST(TensorSet, DamagedFileIsNamed) {
  SimFileSystem files(1);
  testing::write_text(files, "/bad", "no safetensors");
  TensorSet set;
  Faults faults;
  const Status status = set.add_file(files, "/", "bad", faults);
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("/bad"));
}

}  // namespace
}  // namespace cairn::checkpoint
