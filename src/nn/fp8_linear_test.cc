#include "nn/fp8_linear.h"

#include <algorithm>
#include <string>

#include "tests/golden/model_fixture.h"

namespace cairn::nn {
namespace {

std::int64_t count_named(const Plan& plan, const std::string& part) {
  return std::ranges::count_if(
      plan.specs(), [&](const TensorSpec& spec) { return spec.name.find(part) != spec.name.npos; });
}

// What a model declares: no memory is made, so that no GPU is needed.
TEST(Fp8Linear, LayersOfOneInputShareItRoundedAndNeedNoBfloat16Copy) {
  const ModelConfig config = test::small_config(ModelType::kApertus);
  const ModelShape shape{
      .batch = 2, .sequence = 16, .device = DeviceKind::kCuda, .compute = DType::kBFloat16, .fp8 = true};
  Plan plan;
  const Model model = Model::declare_training(config, shape, plan);
  const std::int64_t layers = config.num_hidden_layers;
  EXPECT_EQ(count_named(plan, ".weight as fp8"), 6 * layers);  // q, k, v, o, up, down
  EXPECT_EQ(count_named(plan, ".weight transposed as fp8"), 6 * layers);
  EXPECT_EQ(count_named(plan, " input transposed as fp8"), 4 * layers);  // q, k and v have one
  for (const Parameter& parameter : model.parameters()) {
    const bool is_of_a_block = parameter.name.find("_proj.weight") != std::string::npos;
    EXPECT_FALSE(is_of_a_block && parameter.compute.is_valid()) << parameter.name;
  }
}

}  // namespace
}  // namespace cairn::nn
