#include "serve/parity.h"

#include <cmath>

#include <gmock/gmock.h>

#include "checkpoint/hf_folder.h"
#include "doors/sim_file_system.h"
#include "formats/safetensors.h"
#include "tests/golden/model_fixture.h"

namespace cairn::serve {
namespace {

using ::testing::HasSubstr;

class ParityTest : public ::testing::Test {
 protected:
  ParityTest() : model_(test::small_config(nn::ModelType::kOlmo2), {.B = 2, .T = 6}, 5), files_(1) {
    checkpoint::ModelFiles model_files;
    model_files.config_json = nn::model_config_to_json(model_.model.config(), "float32");
    model_files.generation_config_json = checkpoint::default_generation_config_json(model_.model.config());
    EXPECT_TRUE(files_.make_directories("work").ok());
    const Status status = checkpoint::write_hf_folder(
        files_, "work/model", model_files,
        checkpoint::weight_tensors(model_.model.parameters(), model_.memory()), {});
    EXPECT_TRUE(status.ok()) << status.message();
    request_.model_path = "work/model";
    request_.inputs_path = "work/in.safetensors";
    request_.output_path = "work/out.safetensors";
  }

  struct Input {
    std::string name;
    Shape shape;
    std::vector<std::int64_t> values;
  };
  void write_inputs(std::vector<Input> inputs) {
    EXPECT_TRUE(files_.remove_tree(request_.inputs_path).ok());
    std::vector<SafetensorsEntry> entries;
    for (Input& input : inputs) {
      entries.push_back({input.name, make_view(std::span(input.values), input.shape), std::nullopt});
    }
    const auto file = std::move(files_.create(request_.inputs_path)).value();
    EXPECT_TRUE(write_safetensors(*file, entries, {}).ok());
    EXPECT_TRUE(file->close().ok());
  }
  std::vector<float> output(const std::string& name, Shape shape) {
    const auto file = SafetensorsFile::open(files_, request_.output_path);
    EXPECT_TRUE(file.ok()) << file.status().message();
    std::vector<float> values(static_cast<std::size_t>(shape.num_elements()));
    EXPECT_TRUE(file->read(name, make_view(std::span(values), shape)).ok()) << name;
    return values;
  }
  std::string error() {
    const auto result = run_parity(files_, request_);
    EXPECT_FALSE(result.ok());
    EXPECT_FALSE(files_.exists(request_.output_path));
    return result.ok() ? "" : result.status().message();
  }

  test::TestModel model_;
  SimFileSystem files_;
  ParityRequest request_;
  const std::vector<std::int64_t> ids_ = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::vector<std::int64_t> labels_ = {2, 3, 4, 5, 6, -100, 8, 9, 10, 11, 12, -100};
};

TEST_F(ParityTest, LossIsTheMeanOverLabelsThatCount) {
  write_inputs({{"input_ids", Shape{2, 6}, ids_}, {"labels", Shape{2, 6}, labels_}});
  const auto result = run_parity(files_, request_);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->num_predicted, 10);
  const std::vector<float> logits = output("logits", Shape{2, 6, 37});
  double expected = 0.0;
  for (std::size_t row = 0; row < 12; ++row) {
    if (labels_[row] < 0) {
      continue;
    }
    double sum = 0.0;
    for (std::size_t v = 0; v < 37; ++v) {
      sum += std::exp(static_cast<double>(logits[row * 37 + v]));
    }
    expected +=
        std::log(sum) - static_cast<double>(logits[row * 37 + static_cast<std::size_t>(labels_[row])]);
  }
  EXPECT_NEAR(*result->loss, expected / 10.0, 1e-5);
  EXPECT_EQ(output("loss", Shape{})[0], static_cast<float>(*result->loss));
}

TEST_F(ParityTest, GradientsCoverEveryParameter) {
  request_.with_gradients = true;
  write_inputs({{"input_ids", Shape{2, 6}, ids_}, {"labels", Shape{2, 6}, labels_}});
  ASSERT_TRUE(run_parity(files_, request_).ok());
  for (const nn::Parameter& parameter : model_.model.parameters()) {
    const std::vector<float> gradient = output("grad." + parameter.name, parameter.shape);
    EXPECT_TRUE(std::ranges::any_of(gradient, [](float x) { return x != 0.0F; })) << parameter.name;
  }
}

TEST_F(ParityTest, DocumentsAreAsIfEachStoodAlone) {
  write_inputs({{"input_ids", Shape{2, 6}, ids_}, {"document_lengths", Shape{2, 2}, {2, 4, 6, 0}}});
  ASSERT_TRUE(run_parity(files_, request_).ok());
  const std::vector<float> packed = output("logits", Shape{2, 6, 37});
  ASSERT_TRUE(files_.remove_file(request_.output_path).ok());
  write_inputs({{"input_ids", Shape{1, 4}, {3, 4, 5, 6}}});
  ASSERT_TRUE(run_parity(files_, request_).ok());
  const std::vector<float> alone = output("logits", Shape{1, 4, 37});
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_NEAR(packed[2 * 37 + i], alone[i], 1e-5F);
  }
}

TEST_F(ParityTest, PositionsRestartOrGoOn) {
  const std::vector<Input> inputs = {{"input_ids", Shape{2, 6}, ids_},
                                     {"document_lengths", Shape{2}, {2, 4}}};
  write_inputs(inputs);
  ASSERT_TRUE(run_parity(files_, request_).ok());
  const std::vector<float> restart = output("logits", Shape{2, 6, 37});
  ASSERT_TRUE(files_.remove_file(request_.output_path).ok());
  request_.positions = PackedPositions::kContinue;
  ASSERT_TRUE(run_parity(files_, request_).ok());
  const std::vector<float> going_on = output("logits", Shape{2, 6, 37});
  // RoPE is relative: inside a document only the rounding differs.
  double worst = 0.0;
  for (std::size_t i = 0; i < restart.size(); ++i) {
    worst = std::max(worst, static_cast<double>(std::abs(restart[i] - going_on[i])));
  }
  EXPECT_LT(worst, 1e-5);
  EXPECT_GT(worst, 0.0);
}

TEST_F(ParityTest, AllFaultsOfTheInputsComeAtOnce) {
  request_.with_gradients = true;
  std::vector<std::int64_t> ids = ids_;
  ids[3] = 37;
  ids[4] = -1;
  write_inputs({{"input_ids", Shape{2, 6}, ids}, {"document_lengths", Shape{2}, {2, 5}}});
  const std::string message = error();
  EXPECT_THAT(message, HasSubstr("2 such"));
  EXPECT_THAT(message, HasSubstr("labels"));
  EXPECT_THAT(message, HasSubstr("document_lengths"));
}

TEST_F(ParityTest, RefusesMalformedInputs) {
  write_inputs({{"labels", Shape{2, 6}, labels_}});
  EXPECT_THAT(error(), HasSubstr("input_ids"));
  write_inputs({{"input_ids", Shape{12}, ids_}});
  EXPECT_THAT(error(), HasSubstr("[B, T]"));
  write_inputs({{"input_ids", Shape{0, 6}, {}}});
  EXPECT_THAT(error(), HasSubstr("[B, T]"));
  write_inputs({{"input_ids", Shape{1, 65}, std::vector<std::int64_t>(65, 1)}});
  EXPECT_THAT(error(), HasSubstr("max_position_embeddings"));
  for (const std::vector<std::int64_t>& lengths :
       {std::vector<std::int64_t>{7, -1}, {0, 6}, {3, 2}, {std::int64_t{1} << 62, std::int64_t{1} << 62}}) {
    write_inputs({{"input_ids", Shape{2, 6}, ids_}, {"document_lengths", Shape{2}, lengths}});
    EXPECT_THAT(error(), HasSubstr("document_lengths"));
  }
  write_inputs({{"input_ids", Shape{2, 6}, ids_}, {"labels", Shape{6, 2}, labels_}});
  EXPECT_THAT(error(), HasSubstr("labels"));
}

TEST_F(ParityTest, NeverOverwritesAndLeavesNothingHalfWritten) {
  write_inputs({{"input_ids", Shape{2, 6}, ids_}});
  ASSERT_TRUE(run_parity(files_, request_).ok());
  const std::vector<float> before = output("logits", Shape{2, 6, 37});
  EXPECT_EQ(run_parity(files_, request_).status().code(), StatusCode::kCannotWrite);
  EXPECT_EQ(output("logits", Shape{2, 6, 37}), before);
  ASSERT_TRUE(files_.remove_file(request_.output_path).ok());
  files_.set_free_bytes(100);
  EXPECT_EQ(run_parity(files_, request_).status().code(), StatusCode::kCannotWrite);
  EXPECT_FALSE(files_.exists(request_.output_path));
}

}  // namespace
}  // namespace cairn::serve
