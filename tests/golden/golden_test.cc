// Every golden model folder, through the same code as the program: parity files, training steps, generation.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "checkpoint/hf_folder.h"
#include "device/memory.h"
#include "device/thread_pool.h"
#include "doors/file_system.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "nn/model.h"
#include "optim/adamw.h"
#include "optim/clip.h"
#include "serve/generate.h"
#include "serve/inference_session.h"
#include "serve/parity.h"

namespace cairn {
namespace {

constexpr double kLogitTolerance = 1e-4;      // absolute
constexpr double kLossTolerance = 1e-5;       // absolute
constexpr double kGradientTolerance = 1e-4;   // relative L2
constexpr double kStepLossTolerance = 1e-4;   // absolute
constexpr double kParameterTolerance = 1e-3;  // relative L2
constexpr double kNormTolerance = 1e-2;  // relative; not asked for by anybody, a coarse check of the clip

std::vector<float> read_floats(const SafetensorsFile& file, const std::string& name) {
  const SafetensorsInfo* info = file.find(name);
  if (info == nullptr) {
    ADD_FAILURE() << file.path() << " has no " << name;
    return {};
  }
  std::vector<float> values(static_cast<std::size_t>(info->shape.num_elements()));
  EXPECT_TRUE(file.read(name, make_view(std::span(values), info->shape)).ok()) << name;
  return values;
}

std::vector<std::int64_t> read_ids(const SafetensorsFile& file, const std::string& name) {
  const SafetensorsInfo* info = file.find(name);
  if (info == nullptr) {
    ADD_FAILURE() << file.path() << " has no " << name;
    return {};
  }
  std::vector<std::int64_t> values(static_cast<std::size_t>(info->shape.num_elements()));
  EXPECT_TRUE(file.read(name, make_view(std::span(values), info->shape)).ok()) << name;
  return values;
}

double worst_difference(const std::vector<float>& expected, const std::vector<float>& got) {
  EXPECT_EQ(expected.size(), got.size());
  double worst = expected.size() == got.size() && !expected.empty() ? 0.0 : INFINITY;
  for (std::size_t i = 0; i < std::min(expected.size(), got.size()); ++i) {
    const double difference = std::abs(static_cast<double>(expected[i]) - static_cast<double>(got[i]));
    worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
  }
  return worst;
}

double relative_l2(std::span<const float> expected, std::span<const float> got) {
  EXPECT_EQ(expected.size(), got.size());
  double difference = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < std::min(expected.size(), got.size()); ++i) {
    const double d = static_cast<double>(expected[i]) - static_cast<double>(got[i]);
    difference += d * d;
    size += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return std::sqrt(difference / size);
}

struct Worst {
  std::string name;
  double value = 0.0;
  void add(const std::string& what, double x) {
    if (!(x <= value)) {
      value = x;
      name = what;
    }
  }
};

class GoldenTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    files_ = make_real_file_system();
    folder_path_ = std::string(CAIRN_GOLDEN_FOLDER) + "/" + GetParam();
    auto folder = checkpoint::HfFolder::open(*files_, folder_path_);
    ASSERT_TRUE(folder.ok()) << folder.status().message();
    folder_ = std::make_unique<checkpoint::HfFolder>(std::move(folder).value());
    auto config = nn::model_config_from_json(folder_->config_text());
    ASSERT_TRUE(config.ok()) << config.status().message();
    config_ = *config;
    auto golden = SafetensorsFile::open(*files_, folder_path_ + "/golden.safetensors");
    ASSERT_TRUE(golden.ok()) << golden.status().message();
    golden_ = std::make_unique<SafetensorsFile>(std::move(golden).value());
    auto text = files_->read_text(folder_path_ + "/golden.json");
    ASSERT_TRUE(text.ok()) << text.status().message();
    facts_ = std::move(parse_json(*text, JsonLimits{})).value();
    std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(name.begin(), name.end(), '/', '_');
    scratch_ = ::testing::TempDir() + "cairn_golden_" + name;
    std::filesystem::remove_all(scratch_);
    std::filesystem::create_directories(scratch_);
  }
  void TearDown() override { std::filesystem::remove_all(scratch_); }

  SafetensorsFile parity(const std::string& inputs, bool with_gradients, serve::PackedPositions positions) {
    serve::ParityRequest request;
    request.model_path = folder_path_;
    request.inputs_path = inputs;
    request.output_path = scratch_ + "/out.safetensors";
    request.with_gradients = with_gradients;
    request.positions = positions;
    request.num_threads = 2;
    std::filesystem::remove(request.output_path);
    const auto result = serve::run_parity(*files_, request);
    CHECK(result.ok(), result.status().message());
    return std::move(SafetensorsFile::open(*files_, request.output_path)).value();
  }

  void report(const char* what, const Worst& worst, double tolerance) const {
    std::cout << "[  WORST   ] " << GetParam() << ": " << what << " " << worst.value << " of " << tolerance
              << (worst.name.empty() ? "" : " (" + worst.name + ")") << "\n";
    EXPECT_LE(worst.value, tolerance) << what << " " << worst.name;
  }

  std::unique_ptr<FileSystem> files_;
  std::string folder_path_, scratch_;
  std::unique_ptr<checkpoint::HfFolder> folder_;
  nn::ModelConfig config_;
  std::unique_ptr<SafetensorsFile> golden_;
  Json facts_;
};

TEST_P(GoldenTest, ConfigurationFilesAreWrittenAsTheReferenceWritesThem) {
  EXPECT_EQ(nn::model_config_to_json(config_, "float32"), folder_->config_text());
  EXPECT_EQ(checkpoint::default_generation_config_json(config_), folder_->generation_config_text());
}

TEST_P(GoldenTest, LogitsLossAndGradientsAgree) {
  const SafetensorsFile out =
      parity(folder_path_ + "/golden.safetensors", true, serve::PackedPositions::kRestart);
  Worst logits;
  logits.add("", worst_difference(read_floats(*golden_, "logits"), read_floats(out, "logits")));
  report("logits", logits, kLogitTolerance);
  Worst loss;
  loss.add("",
           std::abs(*as_double(*find(facts_, "loss")) - static_cast<double>(read_floats(out, "loss").at(0))));
  report("loss", loss, kLossTolerance);
  Worst gradients;
  int num_gradients = 0;
  for (const SafetensorsInfo& tensor : golden_->tensors()) {
    if (tensor.name.starts_with("grad.")) {
      gradients.add(tensor.name,
                    relative_l2(read_floats(*golden_, tensor.name), read_floats(out, tensor.name)));
      ++num_gradients;
    }
  }
  EXPECT_EQ(out.tensors().size(), static_cast<std::size_t>(num_gradients + 2));
  report("gradients", gradients, kGradientTolerance);
}

TEST_P(GoldenTest, PackedDocumentsAgreeInBothPositionModes) {
  std::vector<std::int64_t> ids = read_ids(*golden_, "input_ids");
  std::vector<std::int64_t> lengths = read_ids(*golden_, "packed.document_lengths");
  ids.resize(48);
  const std::string inputs = scratch_ + "/in.safetensors";
  const std::vector<SafetensorsEntry> entries = {
      {"input_ids", make_view(std::span(ids), Shape{1, 48}), std::nullopt},
      {"document_lengths", make_view(std::span(lengths), Shape{static_cast<std::int64_t>(lengths.size())}),
       std::nullopt}};
  const auto file = std::move(files_->create(inputs)).value();
  ASSERT_TRUE(write_safetensors(*file, entries, {}).ok());
  ASSERT_TRUE(file->close().ok());
  Worst logits;
  const std::vector<float> restart =
      read_floats(parity(inputs, false, serve::PackedPositions::kRestart), "logits");
  const std::vector<float> going_on =
      read_floats(parity(inputs, false, serve::PackedPositions::kContinue), "logits");
  logits.add("restart", worst_difference(read_floats(*golden_, "packed.logits"), restart));
  logits.add("continue",
             worst_difference(read_floats(*golden_, "packed.logits_no_position_reset"), going_on));
  report("packed logits", logits, kLogitTolerance);
}

// A training run in planned memory on the golden batch.
class TrainingRun {
 public:
  TrainingRun(const nn::ModelConfig& config, std::int64_t B, std::int64_t T, const optim::AdamWConfig& adamw,
              double clip_norm)
      : pool_(2) {
    nn::ModelShape shape;
    shape.batch = B;
    shape.sequence = T;
    shape.num_threads = 2;
    model_ = nn::Model::declare_training(config, shape, plan_);
    std::vector<optim::OptimParameter> parameters;
    for (const nn::Parameter& parameter : model_.parameters()) {
      parameters.push_back({parameter.name, parameter.shape, parameter.weight, parameter.gradient});
    }
    optimizer_ = std::make_unique<optim::AdamW>(adamw, parameters, plan_);
    clip_ = std::make_unique<optim::GradientClip>(clip_norm, parameters, plan_);
    for (TensorId* id : {&tokens_, &targets_, &positions_, &first_key_}) {
      *id = plan_.add({"ids", Shape{B, T}, DType::kInt32, Lifetime::kIo});
    }
    for (TensorId* id : {&mask_, &loss_, &dloss_}) {
      *id = plan_.add({"losses", Shape{B, T}, DType::kFloat32, Lifetime::kIo});
    }
    plan_.seal(1);
    memory_ = std::make_unique<Memory>(std::move(Memory::create(plan_)).value());
    model_.bind(*memory_, pool_);
    optimizer_->bind(*memory_, pool_);
    clip_->bind(*memory_, pool_);
  }

  void set_batch(const std::vector<std::int64_t>& ids, const std::vector<std::int64_t>& labels) {
    const auto T = static_cast<std::size_t>(memory_->view(tokens_).dim(1));
    const auto num_labels = ids.size() - static_cast<std::size_t>(std::ranges::count(labels, -100));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool counts = labels[i] != -100;
      memory_->view(tokens_).span<std::int32_t>()[i] = static_cast<std::int32_t>(ids[i]);
      memory_->view(targets_).span<std::int32_t>()[i] = static_cast<std::int32_t>(labels[i]);
      memory_->view(positions_).span<std::int32_t>()[i] = static_cast<std::int32_t>(i % T);
      memory_->view(mask_).span<float>()[i] = counts ? 1.0F : 0.0F;
      memory_->view(dloss_).span<float>()[i] = counts ? 1.0F / static_cast<float>(num_labels) : 0.0F;
    }
    num_labels_ = static_cast<double>(num_labels);
  }

  // Loss and gradient norm before the step.
  std::pair<double, double> step(std::int64_t t, double learning_rate) {
    const BatchView batch{memory_->view(tokens_), memory_->view(targets_), memory_->view(mask_),
                          memory_->view(positions_), memory_->view(first_key_)};
    const TensorView gradients = memory_->region(Lifetime::kGradient);
    std::fill_n(gradients.bytes(), gradients.num_bytes(), std::byte{0});
    model_.forward(batch, 0, memory_->view(loss_), memory_->view(dloss_));
    model_.backward(batch, 0);
    const optim::ClipResult clip = clip_->measure();
    optimizer_->step(t, learning_rate, clip.clip_scale);
    double sum = 0.0;
    for (const float loss : memory_->view(loss_).span<float>()) {
      sum += static_cast<double>(loss);
    }
    return {sum / num_labels_, clip.norm};
  }

  nn::Model& model() { return model_; }
  const Memory& memory() const { return *memory_; }

 private:
  ThreadPool pool_;
  Plan plan_;
  std::unique_ptr<Memory> memory_;
  nn::Model model_;
  std::unique_ptr<optim::AdamW> optimizer_;
  std::unique_ptr<optim::GradientClip> clip_;
  TensorId tokens_, targets_, positions_, first_key_, mask_, loss_, dloss_;
  double num_labels_ = 0.0;
};

TEST_P(GoldenTest, TenOptimizerStepsAgree) {
  const Json& adamw = *find(facts_, "adamw");
  optim::AdamWConfig settings;
  settings.beta1 = *as_double(find(adamw, "betas")->at(0));
  settings.beta2 = *as_double(find(adamw, "betas")->at(1));
  settings.epsilon = *as_double(*find(adamw, "eps"));
  settings.weight_decay = *as_double(*find(adamw, "weight_decay_matrices"));
  TrainingRun run(config_, 2, 48, settings, *as_double(*find(adamw, "clip")));
  const Status loaded =
      checkpoint::load_weights(*folder_, run.model().parameters(), run.model().buffers(), run.memory());
  ASSERT_TRUE(loaded.ok()) << loaded.message();
  run.set_batch(read_ids(*golden_, "input_ids"), read_ids(*golden_, "labels"));
  Worst losses;
  Worst norms;
  for (std::size_t t = 0; t < 10; ++t) {
    const auto [loss, norm] = run.step(static_cast<std::int64_t>(t) + 1, *as_double(*find(adamw, "lr")));
    const double expected_norm = *as_double(find(adamw, "grad_norm")->at(t));
    losses.add("step " + std::to_string(t + 1), std::abs(loss - *as_double(find(adamw, "loss")->at(t))));
    norms.add("step " + std::to_string(t + 1), std::abs(norm - expected_norm) / expected_norm);
  }
  report("losses of ten steps", losses, kStepLossTolerance);
  report("gradient norms of ten steps", norms, kNormTolerance);
  Worst parameters;
  for (const nn::Parameter& parameter : run.model().parameters()) {
    const std::vector<float> expected = read_floats(*golden_, "after10." + parameter.name);
    parameters.add(parameter.name, relative_l2(expected, run.memory().view(parameter.weight).span<float>()));
  }
  report("parameters after ten steps", parameters, kParameterTolerance);
}

TEST_P(GoldenTest, GreedyTokensAreIdentical) {
  const std::vector<std::int64_t> expected = read_ids(*golden_, "generate.greedy");
  ASSERT_EQ(expected.size(), 32U);
  const std::vector<std::int32_t> prompt(expected.begin(), expected.begin() + 12);
  // Prompts in one piece, in pieces, and token by token fill the same cache.
  for (const std::int64_t prefill_rows : {12, 5, 1}) {
    const auto session = serve::InferenceSession::open(*folder_, config_, {32, prefill_rows, 2});
    ASSERT_TRUE(session.ok()) << session.status().message();
    serve::GenerateOptions options;
    options.max_new_tokens = 20;
    options.end_ids = std::move(serve::end_token_ids(config_, folder_->generation_config_text())).value();
    const auto generation =
        serve::generate((*session)->model(), (*session)->logits_V(), prompt, options, nullptr);
    ASSERT_TRUE(generation.ok()) << generation.status().message();
    EXPECT_EQ(std::vector<std::int64_t>(generation->ids.begin(), generation->ids.end()),
              std::vector<std::int64_t>(expected.begin() + 12, expected.end()));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest,
                         ::testing::Values("apertus", "apertus-long", "llama", "qwen3", "mistral", "olmo2"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace cairn
