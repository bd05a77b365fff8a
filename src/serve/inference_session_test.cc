#include "serve/inference_session.h"

#include "checkpoint/hf_folder.h"
#include "doors/sim_file_system.h"
#include "serve/generate.h"
#include "tests/golden/model_fixture.h"

namespace cairn::serve {
namespace {

// Writes the model's weights as a folder on a simulated disk.
void write_folder(FileSystem& files, const std::string& path, const test::TestModel& model) {
  checkpoint::ModelFiles model_files;
  model_files.config_json = nn::model_config_to_json(model.model.config(), "float32");
  model_files.generation_config_json = checkpoint::default_generation_config_json(model.model.config());
  model_files.buffers.assign(model.model.buffers().begin(), model.model.buffers().end());
  const Status status = checkpoint::write_hf_folder(
      files, path, model_files, checkpoint::weight_tensors(model.model.parameters(), model.memory()), {});
  ASSERT_TRUE(status.ok()) << status.message();
}

TEST(InferenceSession, GeneratesWhatTheModelInMemoryDoes) {
  const std::uint32_t seed = test::printed_seed();
  const nn::ModelConfig config = test::small_config(nn::ModelType::kQwen3);
  test::TestModel model(config, {.B = 1, .T = 4, .use = test::ModelUse::kInference, .cache_rows = 24}, seed);
  SimFileSystem files(1);
  ASSERT_TRUE(files.make_directories("models").ok());
  write_folder(files, "models/m", model);
  const auto folder = checkpoint::HfFolder::open(files, "models/m");
  ASSERT_TRUE(folder.ok()) << folder.status().message();
  const auto session = InferenceSession::open(*folder, config, {24, 7, 2});
  ASSERT_TRUE(session.ok()) << session.status().message();
  const std::vector<std::int32_t> prompt = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const GenerateOptions options{
      .max_new_tokens = 10, .end_ids = {}, .sampling = {.temperature = 1.0, .seed = 3}};
  const auto expected = generate(model.model, model.last_logits(), prompt, options, nullptr);
  const auto got = generate((*session)->model(), (*session)->logits_V(), prompt, options, nullptr);
  ASSERT_TRUE(expected.ok());
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(expected->ids, got->ids);
}

TEST(InferenceSession, RefusesWeightsOfAnotherConfiguration) {
  const nn::ModelConfig config = test::small_config(nn::ModelType::kLlama);
  const test::TestModel model(config, {}, 1);
  SimFileSystem files(1);
  ASSERT_TRUE(files.make_directories("models").ok());
  write_folder(files, "models/m", model);
  const auto folder = checkpoint::HfFolder::open(files, "models/m");
  ASSERT_TRUE(folder.ok()) << folder.status().message();
  nn::ModelConfig other = config;
  other.num_hidden_layers = 3;
  EXPECT_EQ(InferenceSession::open(*folder, other, {8, 8, 1}).status().code(), StatusCode::kBadData);
}

TEST(EndTokenIds, GenerationConfigGoesBeforeTheModel) {
  nn::ModelConfig config = test::small_config(nn::ModelType::kLlama);
  config.eos_token_id = 4;
  config.other_eos_token_ids = {9};
  const auto ids = [&](std::string_view text) { return std::move(end_token_ids(config, text)).value(); };
  EXPECT_EQ(ids(""), (std::vector<std::int64_t>{4, 9}));
  EXPECT_EQ(ids(R"({"eos_token_id": null})"), (std::vector<std::int64_t>{4, 9}));
  EXPECT_EQ(ids(R"({"eos_token_id": 7})"), std::vector<std::int64_t>{7});
  EXPECT_EQ(ids(R"({"eos_token_id": [7, 8]})"), (std::vector<std::int64_t>{7, 8}));
  EXPECT_EQ(end_token_ids(config, R"({"eos_token_id": "x"})").status().code(), StatusCode::kBadData);
  EXPECT_EQ(end_token_ids(config, "{").status().code(), StatusCode::kBadData);
}

}  // namespace
}  // namespace cairn::serve
