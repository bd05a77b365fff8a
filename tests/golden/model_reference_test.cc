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

void compare(const nn::ModelConfig& config, const test::ModelOptions& options, std::uint32_t seed) {
  test::TestModel model(config, options, seed);
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
  for (const nn::Parameter& parameter : model.model.parameters()) {
    ASSERT_TRUE(gradients.contains(parameter.name)) << parameter.name;
    const double error =
        relative_l2(gradients.at(parameter.name), model.memory().view(parameter.gradient).span<float>());
    EXPECT_LT(error, kTolerance) << parameter.name;
    if (error > worst) {
      worst = error;
      worst_name = parameter.name;
    }
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
          {.B = 3, .T = 29, .threads = 2, .save_policy = nn::SavePolicy::kRecomputeBlock},
          test::printed_seed());
}

TEST_P(ModelReference, TiedAndUntiedHeadsAgree) {
  nn::ModelConfig config = test::small_config(GetParam());
  config.tie_word_embeddings = !config.tie_word_embeddings;
  config.num_key_value_heads = 1;
  config.head_dim = 10;
  compare(config, {.B = 1, .T = 19}, test::printed_seed());
}

INSTANTIATE_TEST_SUITE_P(Types, ModelReference, ::testing::ValuesIn(test::kAllTypes),
                         [](const auto& test) { return std::string(nn::model_type_name(test.param)); });

}  // namespace
}  // namespace cairn
