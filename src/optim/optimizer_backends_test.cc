#include "optim/optimizer_backends.h"

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "optim/clip.h"

namespace cairn::optim {
namespace {

struct Outcome {
  double norm = 0.0;
  std::vector<std::byte> parameters, moments;
};

// Three clipped steps of both optimizers' kind on fixed random numbers, on one device.
template <class Kind, class Config>
Outcome run_steps(CudaDevice* device, StatePlace place = StatePlace::kDevice) {
  Plan plan;
  std::vector<OptimParameter> parameters;
  // The last one is more than two chunks of moments that pass through.
  for (const Shape& shape : {Shape{64, 130}, Shape{7}, Shape{5, 4099}, Shape{3, 3'000'001}}) {
    const std::string name = "p" + std::to_string(parameters.size());
    parameters.push_back({name, shape, plan.add({name, shape, DType::kFloat32, Lifetime::kParameter}),
                          plan.add({name, shape, DType::kFloat32, Lifetime::kGradient})});
  }
  Kind optimizer(Config{}, parameters, plan, place);
  GradientClip clip(0.5, parameters, plan, device == nullptr ? DeviceKind::kCpu : DeviceKind::kCuda);
  plan.seal(1);
  ThreadPool pool(2);
  auto memory = device == nullptr ? Memory::create(plan) : Memory::create_on(*device, plan);
  auto mirror =
      Memory::create_mirror(plan, {Lifetime::kParameter, Lifetime::kGradient, Lifetime::kOptimizer});
  EXPECT_TRUE(memory.ok() && mirror.ok());
  optimizer.bind(*memory, pool);
  clip.bind(*memory, pool);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (const OptimParameter& parameter : parameters) {
    for (const TensorId id : {parameter.weight, parameter.gradient}) {
      const Memory& target = device == nullptr ? *memory : *mirror;
      for (float& x : target.view(id).span<float>()) {
        x = normal(random);
      }
    }
  }
  if (device != nullptr) {
    EXPECT_TRUE(memory->upload(Lifetime::kParameter, *mirror).ok());
    EXPECT_TRUE(memory->upload(Lifetime::kGradient, *mirror).ok());
  }
  Outcome result;
  for (std::int64_t t = 1; t <= 3; ++t) {
    const ClipResult clipped = clip.measure();
    result.norm = clipped.norm;
    optimizer.step(t, 1e-2, clipped.clip_scale);
  }
  const auto bytes = [&](Lifetime lifetime) {
    const bool is_mirrored = device != nullptr && !plan.is_on_host(lifetime);
    if (is_mirrored) {
      EXPECT_TRUE(memory->download(lifetime, *mirror).ok());
    } else if (device != nullptr) {
      EXPECT_TRUE(device->synchronize().ok());
    }
    const TensorView region = (is_mirrored ? *mirror : *memory).region(lifetime);
    return std::vector<std::byte>(region.bytes(), region.bytes() + region.num_bytes());
  };
  result.parameters = bytes(Lifetime::kParameter);
  result.moments = bytes(Lifetime::kOptimizer);
  return result;
}

template <class Kind, class Config>
void expect_the_same_bits() {
  if (CudaDevice::count() == 0) {
    GTEST_SKIP() << "no GPU";
  }
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().message();
  const Outcome cpu = run_steps<Kind, Config>(nullptr);
  const Outcome gpu = run_steps<Kind, Config>(device->get());
  EXPECT_EQ(cpu.norm, gpu.norm);
  EXPECT_TRUE(cpu.parameters == gpu.parameters);
  EXPECT_TRUE(cpu.moments == gpu.moments);
  const Outcome streamed = run_steps<Kind, Config>(device->get(), StatePlace::kHost);
  EXPECT_TRUE(cpu.parameters == streamed.parameters);
  EXPECT_TRUE(cpu.moments == streamed.moments);
}

TEST(OptimizerBackends, AdamWHasTheSameBitsOnAGpu) {
  expect_the_same_bits<AdamW, AdamWConfig>();
}

TEST(OptimizerBackends, AdemamixHasTheSameBitsOnAGpu) {
  expect_the_same_bits<Ademamix, AdemamixConfig>();
}

}  // namespace
}  // namespace cairn::optim
