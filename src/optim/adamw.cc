#include "optim/adamw.h"

#include <array>
#include <cmath>

#include "optim/optimizer_backends.h"

namespace cairn::optim {
namespace {

constexpr std::array<std::string_view, 2> kMoments = {"exp_avg", "exp_avg_sq"};

}  // namespace

AdamW::AdamW(const AdamWConfig& config, std::span<const OptimParameter> parameters, Plan& plan,
             StatePlace place)
    : Optimizer(parameters, kMoments, plan, place), config_(config) {}

void AdamW::prepare(std::int64_t t, double learning_rate, double clip_scale) {
  const double m_correction = 1.0 - std::pow(config_.beta1, static_cast<double>(t));
  const double v_correction = 1.0 - std::pow(config_.beta2, static_cast<double>(t));
  scalars_.clip_scale = static_cast<float>(clip_scale);
  scalars_.beta1 = static_cast<float>(config_.beta1);
  scalars_.one_minus_beta1 = static_cast<float>(1.0 - config_.beta1);
  scalars_.beta2 = static_cast<float>(config_.beta2);
  scalars_.one_minus_beta2 = static_cast<float>(1.0 - config_.beta2);
  scalars_.step_size = static_cast<float>(learning_rate / m_correction);
  scalars_.inverse_v_correction = static_cast<float>(1.0 / std::sqrt(v_correction));
  scalars_.epsilon = static_cast<float>(config_.epsilon);
  scalars_.keep = static_cast<float>(1.0 - learning_rate * config_.weight_decay);
}

void AdamW::update(const Elements& elements) const {
  // The arrays are distinct tensors of the plan.
  const AdamWScalars s = scalars_;
  float* __restrict__ const weight = elements.weight;
  const float* __restrict__ const gradient = elements.gradient;
  float* __restrict__ const exp_avg = elements.moments[0];
  float* __restrict__ const exp_avg_sq = elements.moments[1];
  const float keep = elements.is_decayed ? s.keep : 1.0F;
  for (std::int64_t i = 0; i < elements.count; ++i) {
    const float g = gradient[i] * s.clip_scale;
    const float m = s.beta1 * exp_avg[i] + s.one_minus_beta1 * g;
    const float v = s.beta2 * exp_avg_sq[i] + s.one_minus_beta2 * (g * g);
    const float denominator = std::sqrt(v) * s.inverse_v_correction + s.epsilon;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    weight[i] = weight[i] * keep - s.step_size * (m / denominator);
  }
}

void AdamW::update_on(CudaDevice& device, const Elements& elements) const {
  cuda::adamw(device, elements, scalars_);
}

}  // namespace cairn::optim
