// Small models and single modules in planned memory, for tests of nn and of what runs models.
#pragma once

#include <cstdint>
#include <cstring>
#include <iostream>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "device/memory.h"
#include "device/thread_pool.h"
#include "nn/layers.h"
#include "nn/model.h"
#include "nn/rope_frequencies.h"
#include "ops/rope.h"
#include "tensor/plan.h"

namespace cairn::test {

inline std::uint32_t printed_seed() {
  const auto seed = 20260901U + static_cast<std::uint32_t>(GTEST_FLAG_GET(random_seed));
  std::cout << "[   SEED   ] " << seed << "\n";
  return seed;
}

// Sizes that no vector width divides.
inline nn::ModelConfig small_config(nn::ModelType type) {
  nn::ModelConfig config = nn::ModelConfig::defaults(type);
  config.vocab_size = 37;
  config.hidden_size = 20;
  config.intermediate_size = 30;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 6;
  config.max_position_embeddings = 64;
  config.initializer_range = 0.15;
  config.tie_word_embeddings = type == nn::ModelType::kQwen3;
  config.rope = {nn::RopeType::kDefault, 100.0};
  if (type == nn::ModelType::kApertus) {
    config.rope = {nn::RopeType::kLlama3, 100.0, 4.0, 1.0, 4.0, 16};
  }
  return config;
}

inline constexpr nn::ModelType kAllTypes[] = {nn::ModelType::kApertus, nn::ModelType::kLlama,
                                              nn::ModelType::kQwen3, nn::ModelType::kMistral,
                                              nn::ModelType::kOlmo2};

inline void fill_random(TensorView view, std::mt19937& random, float mean, float deviation) {
  std::normal_distribution<float> normal(mean, deviation);
  for (float& x : view.span<float>()) {
    x = normal(random);
  }
}

inline std::vector<float> copy_of(ConstTensorView view) {
  const auto span = view.span<float>();
  return {span.begin(), span.end()};
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// Weights as at the start of training, with norms and scalars moved off their constants.
inline void randomize_weights(std::span<const nn::Parameter> parameters, const Memory& memory,
                              const nn::ModelConfig& config, std::uint32_t seed) {
  ThreadPool pool(1);
  nn::initialize_weights(parameters, memory, config, seed, pool);
  std::mt19937 random(seed);
  for (const nn::Parameter& parameter : parameters) {
    if (parameter.shape.rank() == 1) {
      const float mean = *memory.view(parameter.weight).data<float>();
      fill_random(memory.view(parameter.weight), random, mean, 0.1F);
    }
  }
}

enum class ModelUse : std::uint8_t { kTraining, kEvaluation, kInference };

struct ModelOptions {
  std::int64_t B = 2;
  std::int64_t T = 13;
  int threads = 1;
  int slots = 1;
  nn::SavePolicy save_policy = nn::SavePolicy::kAll;
  ModelUse use = ModelUse::kTraining;
  std::int64_t cache_rows = 0;
};

// A model with memory, weights and one batch per slot.
class TestModel {
 public:
  TestModel(const nn::ModelConfig& config, const ModelOptions& options, std::uint32_t seed)
      : options_(options), pool_(options.threads) {
    nn::ModelShape shape{options.B, options.T, options.threads, options.save_policy};
    switch (options.use) {
      case ModelUse::kTraining:
        model = nn::Model::declare_training(config, shape, plan_);
        break;
      case ModelUse::kEvaluation:
        model = nn::Model::declare_evaluation(config, shape, plan_);
        break;
      case ModelUse::kInference:
        model = nn::Model::declare_inference(config, shape, options.cache_rows, plan_);
        break;
    }
    const std::int64_t V = config.vocab_size;
    for (int slot = 0; slot < options.slots; ++slot) {
      io_.push_back({add(DType::kInt32), add(DType::kInt32), add(DType::kFloat32), add(DType::kInt32),
                     add(DType::kInt32), add(DType::kFloat32), add(DType::kFloat32), add(DType::kInt32)});
    }
    logits_ = plan_.add({"logits", Shape{options.B * options.T, V}, DType::kFloat32, Lifetime::kIo});
    last_logits_ = plan_.add({"last logits", Shape{V}, DType::kFloat32, Lifetime::kIo});
    plan_.seal(options.slots);
    memory_ = std::make_unique<Memory>(std::move(Memory::create(plan_)).value());
    model.bind(*memory_, pool_);
    randomize_weights(model.parameters(), *memory_, config, seed);
    for (int slot = 0; slot < options.slots; ++slot) {
      fill_batch(slot, seed + static_cast<std::uint32_t>(slot));
    }
  }

  // Random tokens and targets, some masked, a document boundary in the middle.
  void fill_batch(int slot, std::uint32_t seed) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<std::int32_t> id(0,
                                                   static_cast<std::int32_t>(model.config().vocab_size) - 1);
    const auto tokens = view(slot, kTokens).span<std::int32_t>();
    const auto targets = view(slot, kTargets).span<std::int32_t>();
    const auto mask = view(slot, kMask).span<float>();
    const auto positions = view(slot, kPositions).span<std::int32_t>();
    const auto first_key = view(slot, kFirstKey).span<std::int32_t>();
    const auto dloss = view(slot, kDloss).span<float>();
    const auto boundary = static_cast<std::int32_t>(options_.T / 3);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto t = static_cast<std::int32_t>(i % static_cast<std::size_t>(options_.T));
      tokens[i] = id(random);
      targets[i] = id(random);
      mask[i] = i % 7 == 3 ? 0.0F : 1.0F;
      dloss[i] = mask[i] / static_cast<float>(tokens.size());
      positions[i] = t >= boundary ? t - boundary : t;
      first_key[i] = t >= boundary ? boundary : 0;
    }
  }

  BatchView batch(int slot) const {
    return {view(slot, kTokens), view(slot, kTargets), view(slot, kMask), view(slot, kPositions),
            view(slot, kFirstKey)};
  }
  TensorView loss(int slot) const { return view(slot, kLoss); }
  TensorView dloss(int slot) const { return view(slot, kDloss); }
  TensorView predicted(int slot) const { return view(slot, kPredicted); }
  TensorView positions(int slot) const { return view(slot, kPositions); }
  TensorView first_key(int slot) const { return view(slot, kFirstKey); }
  TensorView loss_mask(int slot) const { return view(slot, kMask); }
  TensorView tokens(int slot) const { return view(slot, kTokens); }
  TensorView logits() const { return memory_->view(logits_); }
  TensorView last_logits() const { return memory_->view(last_logits_); }
  const Memory& memory() const { return *memory_; }
  const Plan& plan() const { return plan_; }

  void forward(int slot) { model.forward(batch(slot), slot, loss(slot), dloss(slot)); }
  void backward(int slot) { model.backward(batch(slot), slot); }
  void zero_gradients() {
    const TensorView region = memory_->region(Lifetime::kGradient);
    std::memset(region.bytes(), 0, static_cast<std::size_t>(region.num_bytes()));
  }
  // All gradients, one after the other.
  std::vector<float> gradients() const {
    std::vector<float> all;
    for (const nn::Parameter& parameter : model.parameters()) {
      const std::vector<float> one = copy_of(memory_->view(parameter.gradient));
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }

  nn::Model model;

 private:
  enum Io : std::size_t { kTokens, kTargets, kMask, kPositions, kFirstKey, kLoss, kDloss, kPredicted };
  TensorId add(DType dtype) { return plan_.add({"io", Shape{options_.B, options_.T}, dtype, Lifetime::kIo}); }
  TensorView view(int slot, Io which) const {
    return memory_->view(io_[static_cast<std::size_t>(slot)][which]);
  }

  ModelOptions options_;
  ThreadPool pool_;
  Plan plan_;
  std::unique_ptr<Memory> memory_;
  std::vector<std::vector<TensorId>> io_;
  TensorId logits_, last_logits_;
};

// One module on its own: declare it through declare(), add tensors, finish(), then run.
class ModuleBench {
 public:
  ModuleBench(nn::ModelConfig module_config, std::int64_t B, std::int64_t T)
      : config(std::move(module_config)), B_(B), T_(T), pool_(1) {}

  nn::DeclareContext declare(std::int64_t cache_rows, bool with_gradients) {
    nn::DeclareContext ctx{.plan = plan_, .config = config, .parameters = parameters, .buffers = buffers};
    ctx.B = B_;
    ctx.T = T_;
    ctx.cache_rows = cache_rows;
    ctx.with_gradients = with_gradients;
    ctx.inner = with_gradients ? Lifetime::kSaved : Lifetime::kScratch;
    table_rows_ = cache_rows > 0 ? cache_rows : T_;
    return ctx;
  }
  TensorId add(Shape shape, DType dtype = DType::kFloat32) {
    return plan_.add({"tensor", shape, dtype, Lifetime::kIo});
  }
  void finish(std::uint32_t seed) {
    workspace_ = plan_.add({"workspace", Shape{ops::workspace_bytes(1)}, DType::kUint8, Lifetime::kIo});
    cos_ = add(Shape{table_rows_, config.head_dim / 2});
    sin_ = add(Shape{table_rows_, config.head_dim / 2});
    positions_ = add(Shape{B_ * T_}, DType::kInt32);
    plan_.seal(1);
    memory_ = std::make_unique<Memory>(std::move(Memory::create(plan_)).value());
    randomize_weights(parameters, *memory_, config, seed);
    ops::rope_table(context().ops, view(cos_), view(sin_),
                    nn::rope_inverse_frequencies(config.rope, config.head_dim));
  }
  nn::RunContext context() { return {.ops = {pool_, view(workspace_)}, .memory = *memory_}; }
  // T rows of each sequence, standing at positions num_cached ...
  nn::RunContext run(std::int64_t T, std::int64_t num_cached) {
    nn::RunContext run = context();
    run.B = B_;
    run.T = T;
    run.num_cached = num_cached;
    run.cos_PK = view(cos_);
    run.sin_PK = view(sin_);
    const TensorView positions = view(positions_).rows(0, B_ * T);
    for (std::int64_t i = 0; i < B_ * T; ++i) {
      positions.data<std::int32_t>()[i] = static_cast<std::int32_t>(num_cached + i % T);
    }
    run.positions_N = positions;
    return run;
  }
  TensorView view(TensorId id) const { return memory_->view(id); }
  TensorView weight(const std::string& name) const { return memory_->view(find(name).weight); }
  TensorView gradient(const std::string& name) const { return memory_->view(find(name).gradient); }

  nn::ModelConfig config;
  std::vector<nn::Parameter> parameters;
  std::vector<nn::Buffer> buffers;

 private:
  const nn::Parameter& find(const std::string& name) const {
    for (const nn::Parameter& parameter : parameters) {
      if (parameter.name == name) {
        return parameter;
      }
    }
    CHECK(false, "no parameter " + name);
    return parameters.front();
  }

  std::int64_t B_, T_;
  std::int64_t table_rows_ = 0;
  ThreadPool pool_;
  Plan plan_;
  std::unique_ptr<Memory> memory_;
  TensorId workspace_, cos_, sin_, positions_;
};

}  // namespace cairn::test
