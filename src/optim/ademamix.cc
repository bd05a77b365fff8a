#include "optim/ademamix.h"

#include <array>
#include <cmath>

#include "optim/optimizer_backends.h"

namespace cairn::optim {
namespace {

constexpr std::array<std::string_view, 3> kMoments = {"exp_avg_fast", "exp_avg_slow", "exp_avg_sq"};

// Steps after which an average of factor `beta` has forgotten half of what it held, less one.
double half_life(double beta) {
  constexpr double kTiny = 1e-8;
  return std::log(0.5) / std::log(beta + kTiny) - 1.0;
}
double beta_of_half_life(double steps) {
  return std::pow(0.5, 1.0 / (steps + 1.0));
}

}  // namespace

double ademamix_alpha(const AdemamixConfig& config, std::int64_t t) {
  if (t >= config.alpha_warmup_steps) {
    return config.alpha;
  }
  return config.alpha * static_cast<double>(t) / static_cast<double>(config.alpha_warmup_steps);
}

double ademamix_beta3(const AdemamixConfig& config, std::int64_t t) {
  if (t >= config.beta3_warmup_steps) {
    return config.beta3;
  }
  const double a = static_cast<double>(t) / static_cast<double>(config.beta3_warmup_steps);
  return beta_of_half_life((1.0 - a) * half_life(config.beta1) + a * half_life(config.beta3));
}

Ademamix::Ademamix(const AdemamixConfig& config, std::span<const OptimParameter> parameters, Plan& plan,
                   StatePlace place)
    : Optimizer(parameters, kMoments, plan, place), config_(config) {}

void Ademamix::prepare(std::int64_t t, double learning_rate, double clip_scale) {
  const double m_correction = 1.0 - std::pow(config_.beta1, static_cast<double>(t));
  const double v_correction = 1.0 - std::pow(config_.beta2, static_cast<double>(t));
  const double beta3 = ademamix_beta3(config_, t);
  scalars_.clip_scale = static_cast<float>(clip_scale);
  scalars_.beta1 = static_cast<float>(config_.beta1);
  scalars_.one_minus_beta1 = static_cast<float>(1.0 - config_.beta1);
  scalars_.beta2 = static_cast<float>(config_.beta2);
  scalars_.one_minus_beta2 = static_cast<float>(1.0 - config_.beta2);
  scalars_.beta3 = static_cast<float>(beta3);
  scalars_.one_minus_beta3 = static_cast<float>(1.0 - beta3);
  scalars_.alpha = static_cast<float>(ademamix_alpha(config_, t));
  scalars_.inverse_m_correction = static_cast<float>(1.0 / m_correction);
  scalars_.inverse_v_correction = static_cast<float>(1.0 / std::sqrt(v_correction));
  scalars_.epsilon = static_cast<float>(config_.epsilon);
  scalars_.weight_decay = static_cast<float>(config_.weight_decay);
  scalars_.learning_rate = static_cast<float>(learning_rate);
}

void Ademamix::update(const Elements& elements) const {
  // The arrays are distinct tensors of the plan.
  const AdemamixScalars s = scalars_;
  float* __restrict__ const weight = elements.weight;
  const float* __restrict__ const gradient = elements.gradient;
  float* __restrict__ const fast = elements.moments[0];
  float* __restrict__ const slow = elements.moments[1];
  float* __restrict__ const squares = elements.moments[2];
  const float weight_decay = elements.is_decayed ? s.weight_decay : 0.0F;
  for (std::int64_t i = 0; i < elements.count; ++i) {
    const float g = gradient[i] * s.clip_scale;
    const float m1 = s.beta1 * fast[i] + s.one_minus_beta1 * g;
    const float m2 = s.beta3 * slow[i] + s.one_minus_beta3 * g;
    const float v = s.beta2 * squares[i] + s.one_minus_beta2 * (g * g);
    const float denominator = std::sqrt(v) * s.inverse_v_correction + s.epsilon;
    const float u = (m1 * s.inverse_m_correction + s.alpha * m2) / denominator;
    fast[i] = m1;
    slow[i] = m2;
    squares[i] = v;
    weight[i] -= s.learning_rate * (u + weight_decay * weight[i]);
  }
}

void Ademamix::update_on(CudaDevice& device, const Elements& elements) const {
  cuda::ademamix(device, elements, scalars_);
}

}  // namespace cairn::optim
