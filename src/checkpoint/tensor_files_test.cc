#include "checkpoint/tensor_files.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/safetensors_index.h"
#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

std::vector<std::string> names_of(const TensorFile& file) {
  std::vector<std::string> names;
  for (const SafetensorsEntry& entry : file.entries) {
    names.push_back(entry.name);
  }
  return names;
}

TEST(PlanTensorFiles, CutsInOrderBeforeTheLimit) {
  const testing::Tensors tensors("weights", 1);  // 112, 4, 96, 16 and 112 bytes
  const auto views = tensors.views();
  const auto entries = plain_entries(views);
  auto files = plan_tensor_files("model", entries, 116, false);
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].name, "model-00001-of-00003.safetensors");
  EXPECT_EQ(names_of(files[0]).size(), 2U);
  EXPECT_EQ(names_of(files[1]).size(), 2U);
  EXPECT_EQ(names_of(files[2]), std::vector<std::string>{"lm_head.weight"});
  files = plan_tensor_files("model", entries, 1, false);
  EXPECT_EQ(files.size(), 5U);
  files = plan_tensor_files("model", entries, 1 << 20, false);
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].name, "model.safetensors");
  files = plan_tensor_files("training/exp_avg", entries, 1 << 20, true);
  EXPECT_EQ(files[0].name, "training/exp_avg-00001-of-00001.safetensors");
}

TEST(PlanTensorFiles, StoredDtypeCounts) {
  const testing::Tensors tensors("weights", 1);
  const auto views = tensors.views();
  const auto buffers = testing::TrainerState::buffers();
  const auto entries = model_entries(views, buffers, DType::kBFloat16);
  ASSERT_EQ(entries.size(), 7U);
  EXPECT_EQ(stored_bytes(entries[0]), 56);
  EXPECT_EQ(stored_bytes(entries[5]), 2);
  EXPECT_EQ(plan_tensor_files("model", entries, 116, false).size(), 2U);
}

TEST(IndexText, NamesTheFileOfEveryTensor) {
  const testing::Tensors tensors("weights", 1);
  const auto views = tensors.views();
  const auto files = plan_tensor_files("model", plain_entries(views), 116, false);
  const auto index = parse_safetensors_index(index_text(files));
  ASSERT_TRUE(index.ok()) << index.status().message();
  EXPECT_EQ(index->total_size, 340);
  EXPECT_EQ(index->weight_map.at("lm_head.weight"), "model-00003-of-00003.safetensors");
  EXPECT_EQ(index->weight_map.size(), 5U);
  EXPECT_EQ(index_text(std::span(files).first(1)), "");
}

}  // namespace
}  // namespace cairn::checkpoint
