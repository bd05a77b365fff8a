#include "checkpoint/hf_folder.h"

#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doors/sim_file_system.h"
#include "formats/safetensors.h"
#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

using ::testing::HasSubstr;
using testing::Tensors;
using testing::TrainerState;

const std::string kPath = "/models/tiny";

ModelFiles model_files() {
  ModelFiles files;
  files.config_json = "{}\n";
  files.buffers = TrainerState::buffers();
  return files;
}

// One safetensors file written by hand.
void write_tensors(FileSystem& files, const std::string& path, std::span<const SafetensorsEntry> entries) {
  const auto written = write_durable_file(
      files, path, Hasher(), [&](WritableFile& file) { return write_safetensors(file, entries, {}); });
  ASSERT_TRUE(written.ok()) << written.status().message();
}

class HfFolderTest : public ::testing::Test {
 protected:
  void write(const HfWriteOptions& options) {
    const Status status = write_hf_folder(files_, kPath, model_files(), weights_.views(), options);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  Status load(Tensors& into) {
    TRY_ASSIGN(const HfFolder folder, HfFolder::open(files_, kPath));
    return load_tensors(folder, into.targets(), TrainerState::buffers());
  }

  SimFileSystem files_{1};
  Tensors weights_{"weights", 1};
};

TEST_F(HfFolderTest, Float32SurvivesTheRoundTripInOneFileAndInShards) {
  for (const std::int64_t shard_bytes_max : {std::int64_t{1} << 30, std::int64_t{120}, std::int64_t{1}}) {
    ASSERT_TRUE(files_.remove_tree(kPath).ok());
    write({DType::kFloat32, shard_bytes_max});
    EXPECT_EQ(files_.exists(kPath + "/model.safetensors"), shard_bytes_max > 1000);
    EXPECT_EQ(files_.exists(kPath + "/model.safetensors.index.json"), shard_bytes_max <= 1000);
    Tensors loaded("weights", 2);
    const Status status = load(loaded);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(loaded.has_same_bits(weights_));
  }
}

TEST_F(HfFolderTest, Bfloat16IsRoundedToNearestEven) {
  write({DType::kBFloat16, 1 << 20});
  auto folder = HfFolder::open(files_, kPath);
  ASSERT_TRUE(folder.ok());
  EXPECT_EQ(folder->tensors().find("model.layers.0.mlp.act_fn.eps")->dtype, DType::kBFloat16);
  Tensors loaded("weights", 2);
  ASSERT_TRUE(load(loaded).ok());
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < weights_.values(i).size(); ++j) {
      EXPECT_EQ(loaded.values(i)[j], bfloat16_to_float(float_to_bfloat16(weights_.values(i)[j])));
    }
  }
}

TEST_F(HfFolderTest, AllMisfitsAreListedAndNothingIsTouched) {
  auto views = weights_.views();
  views[0].name = "model.extra.weight";
  views[3].view = views[3].view.reshape({2, 2});
  ModelFiles files = model_files();
  files.buffers[0].value = 0.75F;
  ASSERT_TRUE(write_hf_folder(files_, kPath, files, views, {}).ok());
  Tensors loaded("weights", 2);
  const Status status = load(loaded);
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  for (const char* part :
       {"model.embed_tokens.weight", "model.extra.weight", "model.norm.weight", "act_fn.beta"}) {
    EXPECT_THAT(status.message(), HasSubstr(part));
  }
  EXPECT_TRUE(loaded.has_same_bits(Tensors("weights", 2)));
}

TEST_F(HfFolderTest, TiedHeadIsAcceptedOnlyWhenItIsTheEmbedding) {
  auto views = weights_.views();
  auto targets = weights_.targets();
  targets.pop_back();  // lm_head: the model ties it
  views[4].view = views[0].view;
  ASSERT_TRUE(write_hf_folder(files_, kPath, model_files(), views, {}).ok());
  {
    auto folder = HfFolder::open(files_, kPath);
    ASSERT_TRUE(folder.ok());
    const Status status = load_tensors(*folder, targets, TrainerState::buffers());
    EXPECT_TRUE(status.ok()) << status.message();
  }
  ASSERT_TRUE(files_.remove_tree(kPath).ok());
  write({});
  auto folder = HfFolder::open(files_, kPath);
  ASSERT_TRUE(folder.ok());
  EXPECT_THAT(load_tensors(*folder, targets, TrainerState::buffers()).message(), HasSubstr("lm_head.weight"));
}

TEST_F(HfFolderTest, OldRotaryBuffersAreIgnoredAndIntegersRefused) {
  const std::vector<float> frequencies = {1.0F, 0.5F};
  const std::vector<std::int32_t> integers = {1, 2, 3, 4};
  ASSERT_TRUE(files_.make_directories(kPath).ok());
  testing::write_text(files_, kPath + "/config.json", "{}");
  const std::vector<SafetensorsEntry> entries = {
      {"model.layers.0.self_attn.rotary_emb.inv_freq", make_const_view(std::span(frequencies), {2}), {}},
      {"model.norm.weight", make_const_view(std::span(integers), {4}), {}}};
  write_tensors(files_, kPath + "/model.safetensors", entries);
  auto folder = HfFolder::open(files_, kPath);
  ASSERT_TRUE(folder.ok()) << folder.status().message();
  std::vector<float> values(4);
  const std::vector<NamedTarget> targets = {{"model.norm.weight", make_view(std::span(values), {4})}};
  const Status status = load_tensors(*folder, targets, {});
  EXPECT_THAT(status.message(), HasSubstr("I32"));
  EXPECT_EQ(status.message().find("inv_freq"), std::string::npos);
}

TEST_F(HfFolderTest, BrokenFoldersAreNamed) {
  EXPECT_EQ(HfFolder::open(files_, "/nowhere").status().code(), StatusCode::kNoInput);
  ASSERT_TRUE(files_.make_directories(kPath).ok());
  EXPECT_THAT(HfFolder::open(files_, kPath).status().message(), HasSubstr("config.json"));
  testing::write_text(files_, kPath + "/config.json", "{}");
  EXPECT_THAT(HfFolder::open(files_, kPath).status().message(), HasSubstr("no weights"));
  ASSERT_TRUE(files_.remove_tree(kPath).ok());
  write({DType::kFloat32, 120});
  const std::string shard = kPath + "/model-00002-of-00003.safetensors";
  ASSERT_TRUE(files_.exists(shard));
  ASSERT_TRUE(files_.rename(shard, kPath + "/elsewhere").ok());
  Status status = HfFolder::open(files_, kPath).status();
  EXPECT_EQ(status.code(), StatusCode::kBadData);
  EXPECT_THAT(status.message(), HasSubstr("model-00002-of-00003.safetensors"));
  // Another shard under this name: tensors twice, and tensors that are not where the index says.
  ASSERT_TRUE(files_.rename(kPath + "/model-00001-of-00003.safetensors", shard).ok());
  status = HfFolder::open(files_, kPath).status();
  EXPECT_EQ(status.code(), StatusCode::kBadData);
}

TEST_F(HfFolderTest, ExistingTargetIsNeverTouched) {
  write({});
  const Status status = write_hf_folder(files_, kPath, model_files(), weights_.views(), {});
  EXPECT_EQ(status.code(), StatusCode::kCannotWrite);
  EXPECT_THAT(status.message(), HasSubstr(kPath));
}

TEST_F(HfFolderTest, FailedWriteLeavesNothing) {
  files_.fail_at(files_.num_operations() + 6, cannot_write("No space left on device"));
  const Status status = write_hf_folder(files_, kPath, model_files(), weights_.views(), {});
  EXPECT_EQ(status.code(), StatusCode::kCannotWrite);
  EXPECT_TRUE(files_.all_files().empty());
  EXPECT_FALSE(files_.exists(kPath));
}

std::vector<std::string> names_of(const std::vector<ModelFiles::Text>& files) {
  std::vector<std::string> names;
  for (const ModelFiles::Text& file : files) {
    names.push_back(file.name);
  }
  return names;
}

TEST(TokenizerFiles, BelongToTheTokenizerThatWasNamed) {
  SimFileSystem files(2);
  ASSERT_TRUE(files.make_directories("/tk").ok());
  for (const char* name :
       {"tokenizer.json", "vocab.json", "tokenizer_config.json", "chat_template.jinja", "README"}) {
    testing::write_text(files, std::string("/tk/") + name, name);
  }
  const auto usual = tokenizer_files_beside(files, "/tk/tokenizer.json", "parsed");
  ASSERT_TRUE(usual.ok()) << usual.status().message();
  EXPECT_THAT(names_of(*usual),
              ::testing::UnorderedElementsAre("tokenizer.json", "vocab.json", "tokenizer_config.json",
                                              "chat_template.jinja"));
  const auto named = tokenizer_files_beside(files, "/tk/mine.json", "parsed");
  ASSERT_TRUE(named.ok()) << named.status().message();
  EXPECT_THAT(names_of(*named), ::testing::UnorderedElementsAre("tokenizer.json", "tokenizer_config.json",
                                                                "chat_template.jinja"));
  EXPECT_EQ(named->back().text, "parsed") << "not that of the neighbour";
  EXPECT_EQ(named->front().text, named->front().name) << "side files hold their own text";
}

TEST(TokenizerFiles, AreReadOnceSoThatTheirFolderMayGo) {
  SimFileSystem files(3);
  ASSERT_TRUE(files.make_directories("/tk").ok());
  testing::write_text(files, "/tk/tokenizer_config.json", "side");
  ModelFiles written = model_files();
  auto texts = tokenizer_files_beside(files, "/tk/mine.json", "parsed");
  ASSERT_TRUE(texts.ok()) << texts.status().message();
  written.tokenizer_files = *texts;
  ASSERT_TRUE(files.remove_tree("/tk").ok());
  const Tensors weights("weights", 1);
  const Status status = write_hf_folder(files, kPath, written, weights.views(), {});
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(*files.read_text(kPath + "/tokenizer.json"), "parsed");
  EXPECT_EQ(*files.read_text(kPath + "/tokenizer_config.json"), "side");
}

TEST(GenerationConfig, IsDerivedFromTheModel) {
  nn::ModelConfig config;
  config.bos_token_id = 1;
  config.eos_token_id = 2;
  EXPECT_EQ(default_generation_config_json(config),
            "{\n  \"_from_model_config\": true,\n  \"bos_token_id\": 1,\n  \"eos_token_id\": 2,\n"
            "  \"output_attentions\": false,\n  \"output_hidden_states\": false,\n"
            "  \"transformers_version\": \"5.17.0\",\n  \"use_cache\": true\n}\n");
}

}  // namespace
}  // namespace cairn::checkpoint
