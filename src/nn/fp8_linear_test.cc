#include "nn/fp8_linear.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "device/cuda_device.h"
#include "nn/initialize.h"
#include "ops/elementwise.h"
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

// All sizes multiples of 16; heads of 24 channels go through the norm and the rotation as two ops.
ModelConfig config_for_gpu(ModelType type, std::int64_t head_dim) {
  ModelConfig config = test::small_config(type);
  config.vocab_size = 96;
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = head_dim;
  config.tie_word_embeddings = false;
  return config;
}

// A model on the GPU with one batch of two sequences, in memory that both sides see.
class GpuModel {
 public:
  GpuModel(CudaDevice& device, const ModelConfig& config, SavePolicy policy, bool is_fp8) : device_(device) {
    const Shape shape_BT{2, 32};
    model_ = Model::declare_training(config,
                                     {.batch = 2,
                                      .sequence = 32,
                                      .save_policy = policy,
                                      .device = DeviceKind::kCuda,
                                      .compute = DType::kBFloat16,
                                      .fp8 = is_fp8},
                                     plan_);
    const auto io = [&](const char* name, DType dtype) {
      return plan_.add({name, shape_BT, dtype, Lifetime::kIo});
    };
    const TensorId tokens = io("batch tokens", DType::kInt32), targets = io("batch targets", DType::kInt32);
    const TensorId positions = io("batch positions", DType::kInt32), first = io("batch first", DType::kInt32);
    const TensorId mask = io("batch mask", DType::kFloat32), loss = io("batch loss", DType::kFloat32);
    const TensorId dloss = io("batch dloss", DType::kFloat32);
    plan_.seal(1);
    auto memory = Memory::create_on(device, plan_);
    CHECK(memory.ok(), memory.status().message());
    memory_ = std::make_unique<Memory>(std::move(*memory));
    model_.bind(*memory_, pool_);
    initialize_weights(model_.parameters(), *memory_, config, 5, pool_);
    model_.round_weights();
    for (std::int32_t i = 0; i < 64; ++i) {
      const auto at = static_cast<std::size_t>(i);
      memory_->view(tokens).span<std::int32_t>()[at] = i * 7 % 96;
      memory_->view(targets).span<std::int32_t>()[at] = (i * 7 + 7) % 96;
      memory_->view(positions).span<std::int32_t>()[at] = i % 32;
      memory_->view(first).span<std::int32_t>()[at] = 0;
      memory_->view(mask).span<float>()[at] = 1.0F;
      memory_->view(dloss).span<float>()[at] = 1.0F / 64.0F;
    }
    batch_ = {memory_->view(tokens), memory_->view(targets), memory_->view(mask), memory_->view(positions),
              memory_->view(first)};
    loss_ = memory_->view(loss);
    dloss_ = memory_->view(dloss);
  }

  // Of all parameters, one after the other.
  std::vector<float> gradients() {
    const ops::OpContext ctx{pool_, {}, &device_};
    for (const Parameter& parameter : model_.parameters()) {
      ops::fill_zero(ctx, memory_->view(parameter.gradient));
    }
    model_.forward(batch_, 0, loss_, dloss_);
    model_.backward(batch_, 0);
    std::vector<float> all;
    for (const Parameter& parameter : model_.parameters()) {
      const TensorView gradient = memory_->view(parameter.gradient);
      std::vector<float> values(static_cast<std::size_t>(gradient.num_elements()));
      device_.copy_to_host(reinterpret_cast<std::byte*>(values.data()), gradient.bytes(),
                           gradient.num_bytes());
      EXPECT_TRUE(device_.synchronize().ok());
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

 private:
  CudaDevice& device_;
  ThreadPool pool_{1};
  Plan plan_;
  Model model_;
  std::unique_ptr<Memory> memory_;
  BatchView batch_;
  TensorView loss_, dloss_;
};

TEST(Fp8Linear, GradientsAreNearBfloat16sAndTheSameUnderAllPoliciesAndInGraphs) {
  if (CudaDevice::count() == 0) {
    GTEST_SKIP() << "no GPU";
  }
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().message();
  for (const ModelType type : test::kAllTypes) {
    for (const std::int64_t head_dim : {16, 24}) {
      const ModelConfig config = config_for_gpu(type, head_dim);
      const std::vector<float> half = GpuModel(**device, config, SavePolicy::kAll, false).gradients();
      GpuModel kept(**device, config, SavePolicy::kAll, true);
      const std::vector<float> expected = kept.gradients();
      EXPECT_TRUE(test::same_bits(kept.gradients(), expected)) << model_type_name(type) << " in a graph";
      for (const SavePolicy policy : {SavePolicy::kSelective, SavePolicy::kFull}) {
        const std::vector<float> made_again = GpuModel(**device, config, policy, true).gradients();
        EXPECT_TRUE(test::same_bits(made_again, expected))
            << model_type_name(type) << " under " << static_cast<int>(policy);
      }
      double square = 0.0, difference = 0.0;
      for (std::size_t i = 0; i < half.size(); ++i) {
        square += static_cast<double>(half[i]) * static_cast<double>(half[i]);
        difference += std::pow(static_cast<double>(expected[i] - half[i]), 2);
      }
      const double share = std::sqrt(difference / square);
      // Elements of E4M3 are off by up to 2^-4, of E5M2 by 2^-3, and a model of 64 channels averages little of it out.
      EXPECT_GT(share, 1e-3) << model_type_name(type) << ": not in eight bits?";
      EXPECT_LT(share, 0.4) << model_type_name(type);
    }
  }
}

}  // namespace
}  // namespace cairn::nn
