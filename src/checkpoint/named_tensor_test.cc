#include "checkpoint/named_tensor.h"

#include <gtest/gtest.h>

namespace cairn::checkpoint {
namespace {

TEST(NamedTensor, ViewsAreThePlannedWeights) {
  Plan plan;
  std::vector<nn::Parameter> parameters(2);
  parameters[0] = {"a", {2, 3}, nn::Initialization::kNormal, {}, {}, {}};
  parameters[1] = {"b", {4}, nn::Initialization::kOnes, {}, {}, {}};
  for (nn::Parameter& parameter : parameters) {
    parameter.weight = plan.add({parameter.name, parameter.shape, DType::kFloat32, Lifetime::kParameter});
  }
  plan.seal(1);
  auto memory = Memory::create(plan);
  ASSERT_TRUE(memory.ok());
  const auto tensors = weight_tensors(parameters, *memory);
  const auto targets = weight_targets(parameters, *memory);
  ASSERT_EQ(tensors.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(tensors[i].name, parameters[i].name);
    EXPECT_EQ(tensors[i].view.bytes(), memory->view(parameters[i].weight).bytes());
    EXPECT_EQ(targets[i].view.bytes(), tensors[i].view.bytes());
    EXPECT_TRUE(targets[i].view.shape() == parameters[i].shape);
  }
}

}  // namespace
}  // namespace cairn::checkpoint
