// The float32 model against the float64 reference: losses, logits and the gradient of every parameter, for every
// type, with masked positions, packed documents and sizes that no vector width divides.
#include <cmath>

#include "tests/golden/model_fixture.h"
#include "tests/reference/reference_model.h"

namespace cairn {
namespace {

reference::Parameters parameters_of(const test::TestModel& model) {
  reference::Parameters parameters;
  for (const nn::Parameter& parameter : model.model.parameters()) {
    const std::vector<float> weight = test::copy_of(model.memory().view(parameter.weight));
    parameters[parameter.name] = reference::Vector(weight.begin(), weight.end());
  }
  return parameters;
}

template <class Out, class T>
Out copied(ConstTensorView view) {
  const auto span = view.span<T>();
  return Out(span.begin(), span.end());
}

reference::Batch batch_of(const test::TestModel& model) {
  const BatchView batch = model.batch(0);
  reference::Batch out;
  out.B = batch.tokens_BT.dim(0);
  out.T = batch.tokens_BT.dim(1);
  out.tokens = copied<reference::Indices, std::int32_t>(batch.tokens_BT);
  out.targets = copied<reference::Indices, std::int32_t>(batch.targets_BT);
  out.weight = copied<reference::Vector, float>(batch.loss_mask_BT);
  out.positions = copied<reference::Indices, std::int32_t>(batch.positions_BT);
  out.first_key = copied<reference::Indices, std::int32_t>(batch.first_key_BT);
  return out;
}

double relative_l2(const reference::Vector& expected, std::span<const float> got) {
  EXPECT_EQ(expected.size(), got.size());
  double difference = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = expected[i] - static_cast<double>(got[i]);
    difference += d * d;
    size += expected[i] * expected[i];
  }
  return std::sqrt(difference / size);
}

// Float32 has 6e-8 of rounding; sums of some hundred terms and two layers of them lose about two digits.
constexpr double kTolerance = 2e-5;

class ModelReference : public ::testing::TestWithParam<nn::ModelType> {};

enum class Positions : std::uint8_t { kRestart, kContinue };

// Documents of random lengths, one of them a single token, other ones in each sequence. What a document's last token
// predicts lies in the next document: masked, as end-of-document masking does.
void pack_documents(test::TestModel& model, Positions positions, std::uint32_t seed) {
  std::mt19937 random(seed);
  const std::int64_t T = model.batch(0).tokens_BT.dim(1);
  const auto position = model.positions(0).span<std::int32_t>();
  const auto first_key = model.first_key(0).span<std::int32_t>();
  const auto mask = model.loss_mask(0).span<float>();
  const auto dloss = model.dloss(0).span<float>();
  std::int32_t start = 0;
  std::int32_t left = 0;
  for (std::size_t i = 0; i < position.size(); ++i) {
    const auto t = static_cast<std::int32_t>(i % static_cast<std::size_t>(T));
    if (t == 0 || left == 0) {
      start = t;
      left = t == 0 ? 4 : start == 4 ? 1 : std::uniform_int_distribution<std::int32_t>(2, 9)(random);
    }
    --left;
    position[i] = positions == Positions::kRestart ? t - start : t;
    first_key[i] = start;
    mask[i] = left == 0 ? 0.0F : 1.0F;
    dloss[i] = mask[i] / static_cast<float>(position.size());
  }
}

void compare(test::TestModel& model);

void compare(const nn::ModelConfig& config, const test::ModelOptions& options, std::uint32_t seed) {
  test::TestModel model(config, options, seed);
  compare(model);
}

void compare(test::TestModel& model) {
  const nn::ModelConfig& config = model.model.config();
  model.model.logits(model.batch(0), model.logits());
  model.forward(0);
  model.backward(0);
  const reference::Parameters parameters = parameters_of(model);
  const reference::Batch batch = batch_of(model);
  const reference::ModelOutput expected = reference::model_forward(config, parameters, batch);
  const double logits = relative_l2(expected.logits_NV, model.logits().span<float>());
  const double losses = relative_l2(expected.loss_N, model.loss(0).span<float>());
  EXPECT_LT(logits, kTolerance);
  EXPECT_LT(losses, kTolerance);
  const reference::Parameters gradients =
      reference::model_backward(config, parameters, batch, copied<reference::Vector, float>(model.dloss(0)));
  double worst = 0.0;
  std::string worst_name;
  const auto judge = [&](const std::string& name, const reference::Vector& wanted,
                         std::span<const float> got) {
    const double error = relative_l2(wanted, got);
    EXPECT_LT(error, kTolerance) << name;
    if (error > worst) {
      worst = error;
      worst_name = name;
    }
  };
  // The gradient of a scalar is one sum whose terms may cancel to nearly nothing: scalars are judged together.
  reference::Vector wanted_scalars;
  std::vector<float> scalars;
  for (const nn::Parameter& parameter : model.model.parameters()) {
    ASSERT_TRUE(gradients.contains(parameter.name)) << parameter.name;
    const reference::Vector& wanted = gradients.at(parameter.name);
    const auto got = model.memory().view(parameter.gradient).span<float>();
    if (wanted.size() == 1) {
      wanted_scalars.push_back(wanted[0]);
      scalars.push_back(got[0]);
    } else {
      judge(parameter.name, wanted, got);
    }
  }
  if (!scalars.empty()) {
    judge("scalars", wanted_scalars, scalars);
  }
  EXPECT_EQ(gradients.size(), model.model.parameters().size());
  std::cout << "[  WORST   ] " << nn::model_type_name(config.type) << ": logits " << logits << ", losses "
            << losses << ", gradients " << worst << " (" << worst_name << ")\n";
}

TEST_P(ModelReference, ForwardAndBackwardAgree) {
  compare(test::small_config(GetParam()), {}, test::printed_seed());
}

TEST_P(ModelReference, ForwardAndBackwardAgreeOnThreadsWithRecomputation) {
  compare(test::small_config(GetParam()),
          {.B = 3, .T = 29, .threads = 2, .save_policy = nn::SavePolicy::kFull}, test::printed_seed());
}

TEST_P(ModelReference, TiedAndUntiedHeadsAgree) {
  nn::ModelConfig config = test::small_config(GetParam());
  config.tie_word_embeddings = !config.tie_word_embeddings;
  config.num_key_value_heads = 1;
  config.head_dim = 10;
  compare(config, {.B = 1, .T = 19}, test::printed_seed());
}

TEST_P(ModelReference, PackedDocumentsAgreeInBothPositionModes) {
  const std::uint32_t seed = test::printed_seed();
  for (const Positions positions : {Positions::kRestart, Positions::kContinue}) {
    SCOPED_TRACE(positions == Positions::kRestart ? "positions restart" : "positions continue");
    test::TestModel model(test::small_config(GetParam()), {.B = 2, .T = 31}, seed);
    pack_documents(model, positions, seed);
    compare(model);
  }
}

// The packed test above would pass with a model that ignores the boundaries, if they did not matter.
TEST_P(ModelReference, PackingAndPositionsChangeTheLosses) {
  const std::uint32_t seed = test::printed_seed();
  test::TestModel model(test::small_config(GetParam()), {.B = 2, .T = 31}, seed);
  std::vector<std::vector<float>> losses;
  for (const Positions positions : {Positions::kRestart, Positions::kContinue}) {
    pack_documents(model, positions, seed);
    model.forward(0);
    losses.push_back(test::copy_of(model.loss(0)));
  }
  for (std::int32_t& first_key : model.first_key(0).span<std::int32_t>()) {
    first_key = 0;
  }
  model.forward(0);
  const std::vector<float> unmasked = test::copy_of(model.loss(0));
  EXPECT_FALSE(test::same_bits(losses[0], losses[1]));  // RoPE is relative: equal up to rounding only
  double difference = 0;
  for (std::size_t i = 0; i < unmasked.size(); ++i) {
    difference += std::abs(static_cast<double>(unmasked[i] - losses[1][i]));
  }
  EXPECT_GT(difference, 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Types, ModelReference, ::testing::ValuesIn(test::kAllTypes),
                         [](const auto& test) { return std::string(nn::model_type_name(test.param)); });

}  // namespace
}  // namespace cairn
