// AdEMAMix: Adam with a second, slow moving average of the gradient.
// Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137, algorithm 1 and appendix A.1 (schedules).
#pragma once

#include "optim/optimizer.h"

namespace cairn::optim {

struct AdemamixConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double beta3 = 0.9999;
  double alpha = 8.0;
  // Optimizer steps, not samples. 0: full value from the first step.
  std::int64_t alpha_warmup_steps = 100000;
  std::int64_t beta3_warmup_steps = 100000;
  double epsilon = 1e-8;
  double weight_decay = 0.1;  // on parameters of rank >= 2
};

// alpha(t) = alpha * t / warmup up to the warm-up's end, then alpha.
double ademamix_alpha(const AdemamixConfig& config, std::int64_t t);

// beta3(t): from beta1 to beta3 so that the half-life of the average grows linearly in t, then beta3.
double ademamix_beta3(const AdemamixConfig& config, std::int64_t t);

// Of one step, as the loops and kernels use them.
struct AdemamixScalars {
  float clip_scale, beta1, one_minus_beta1, beta2, one_minus_beta2, beta3, one_minus_beta3, alpha,
      inverse_m_correction, inverse_v_correction, epsilon, weight_decay, learning_rate;
};

// With g = clip_scale * gradient, all in float32, scalars computed in double:
//   m1 = b1 m1 + (1 - b1) g                    "exp_avg_fast"
//   m2 = b3(t) m2 + (1 - b3(t)) g              "exp_avg_slow", no bias correction
//   v  = b2 v + (1 - b2) g^2                   "exp_avg_sq"
//   u  = (m1 / (1 - b1^t) + alpha(t) m2) / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
//   w  = w - lr (u + weight_decay w)
class Ademamix final : public Optimizer {
 public:
  Ademamix(const AdemamixConfig& config, std::span<const OptimParameter> parameters, Plan& plan,
           StatePlace place = StatePlace::kDevice);

  std::string_view name() const override { return "ademamix"; }

 private:
  void prepare(std::int64_t t, double learning_rate, double clip_scale) override;
  void update(const Elements& elements) const override;
  void update_on(CudaDevice& device, const Elements& elements) const override;

  AdemamixConfig config_;
  AdemamixScalars scalars_{};
};

}  // namespace cairn::optim
