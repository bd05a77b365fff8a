#include "checkpoint/export.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/compare.h"
#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

using ::testing::HasSubstr;

const std::string kGolden = CAIRN_GOLDEN_DIR;

class ExportTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string fresh(const std::string& name) {
    const std::string path = ::testing::TempDir() + "cairn_export_" + name;
    const Status status = files_->remove_tree(path);
    CHECK(status.ok(), status.message());
    return path;
  }
  std::string read(const std::string& path) {
    auto text = files_->read_text(path);
    CHECK(text.ok(), text.status().message());
    return *text;
  }
  std::unique_ptr<FileSystem> files_ = make_real_file_system();
};

// What the reference library's save_pretrained wrote is what we write: the same bytes.
TEST_P(ExportTest, GoldenModelIsWrittenBackByteForByte) {
  const std::string source = kGolden + "/" + GetParam();
  const std::string target = fresh(GetParam());
  const auto report = export_model(*files_, source, target, {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  for (const char* name : {"/model.safetensors", "/config.json", "/generation_config.json"}) {
    EXPECT_TRUE(read(source + name) == read(target + name)) << name;
  }
  EXPECT_TRUE(files_->remove_tree(target).ok());
}

TEST_P(ExportTest, ShardedBfloat16ExportIsWithinItsRounding) {
  const std::string source = kGolden + "/" + GetParam();
  const std::string target = fresh(std::string(GetParam()) + "_bf16");
  const auto report = export_model(*files_, source, target, {DType::kBFloat16, 100'000});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_TRUE(files_->exists(target + "/model.safetensors.index.json"));
  EXPECT_THAT(read(target + "/config.json"), HasSubstr("\"dtype\": \"bfloat16\""));
  const auto comparison = compare_checkpoints(*files_, source, target);
  ASSERT_TRUE(comparison.ok()) << comparison.status().message();
  EXPECT_FALSE(comparison->is_equal());
  for (const TensorDifference& tensor : comparison->tensors) {
    EXPECT_TRUE(tensor.is_in_a && tensor.is_in_b && tensor.has_same_shape) << tensor.name;
    EXPECT_LT(tensor.difference_max, 0.02) << tensor.name;
  }
  // Rounded once, it stays what it is.
  const std::string again = fresh(std::string(GetParam()) + "_bf16_again");
  ASSERT_TRUE(export_model(*files_, target, again, {DType::kBFloat16, 5'000'000'000}).ok());
  EXPECT_TRUE(compare_checkpoints(*files_, target, again)->is_equal());
  EXPECT_TRUE(files_->remove_tree(target).ok());
  EXPECT_TRUE(files_->remove_tree(again).ok());
}

INSTANTIATE_TEST_SUITE_P(Models, ExportTest,
                         ::testing::Values("apertus", "apertus-long", "llama", "mistral", "olmo2", "qwen3"));

TEST_F(ExportTest, ExistingTargetAndWrongSourcesAreRefused) {
  EXPECT_EQ(export_model(*files_, kGolden + "/llama", kGolden, {}).status().code(), StatusCode::kCannotWrite);
  EXPECT_EQ(export_model(*files_, kGolden + "/nowhere", "", {}).status().code(), StatusCode::kNoInput);
  const auto checked = export_model(*files_, kGolden + "/llama", "", {});
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  EXPECT_EQ(checked->config.type, nn::ModelType::kLlama);
}

TEST_F(ExportTest, WeightsThatAreNotFiniteAreRefused) {
  const std::string source = fresh("not_finite");
  ASSERT_TRUE(export_model(*files_, kGolden + "/llama", source, {}).ok());
  std::string bytes = read(source + "/model.safetensors");
  bytes.replace(bytes.size() - 4, 4, std::string("\x00\x00\xC0\x7F", 4));  // the last norm weight becomes NaN
  testing::write_text(*files_, source + "/model.safetensors", bytes);
  const Status status = export_model(*files_, source, "", {}).status();
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_THAT(status.message(), HasSubstr("model.norm.weight"));
  EXPECT_TRUE(files_->remove_tree(source).ok());
}

}  // namespace
}  // namespace cairn::checkpoint
