#include "planner/flops.h"

namespace cairn::planner {
namespace {

constexpr double kForwardAndBackward = 3.0;

// Multiply-adds of the weights' products for one token, the output head included.
double weight_products(const nn::ModelConfig& config) {
  const auto D = static_cast<double>(config.hidden_size);
  const auto F = static_cast<double>(config.intermediate_size);
  const auto C = static_cast<double>(config.head_dim);
  const auto H = static_cast<double>(config.num_attention_heads);
  const auto G = static_cast<double>(config.num_key_value_heads);
  const double feed_forward_matrices = config.activation() == nn::Activation::kSwiglu ? 3.0 : 2.0;
  const double layer = 2.0 * D * H * C + 2.0 * D * G * C + feed_forward_matrices * D * F;
  return static_cast<double>(config.num_hidden_layers) * layer + D * static_cast<double>(config.vocab_size);
}

// Multiply-adds of q k^T and p v over all heads and layers for one sequence, every pair of positions counted.
double full_attention_products(const nn::ModelConfig& config, std::int64_t sequence) {
  const auto T = static_cast<double>(sequence);
  const auto HC = static_cast<double>(config.num_attention_heads * config.head_dim);
  return 2.0 * static_cast<double>(config.num_hidden_layers) * T * T * HC;
}

}  // namespace

double training_flops(const nn::ModelConfig& config, std::int64_t sequence) {
  const double products = static_cast<double>(sequence) * weight_products(config) +
                          0.5 * full_attention_products(config, sequence);
  return kForwardAndBackward * 2.0 * products;
}

double training_flops_megatron(const nn::ModelConfig& config, std::int64_t sequence) {
  const double products =
      static_cast<double>(sequence) * weight_products(config) + full_attention_products(config, sequence);
  return kForwardAndBackward * 2.0 * products;
}

}  // namespace cairn::planner
