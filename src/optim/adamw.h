// AdamW: Adam with decoupled weight decay.   Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
#pragma once

#include "optim/optimizer.h"

namespace cairn::optim {

struct AdamWConfig {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.1;  // on parameters of rank >= 2
};

// Of one step, as the loops and kernels use them.
struct AdamWScalars {
  float clip_scale, beta1, one_minus_beta1, beta2, one_minus_beta2, step_size, inverse_v_correction, epsilon,
      keep;  // keep: 1 - lr * weight_decay
};

// With g = clip_scale * gradient, all in float32, scalars computed in double:
//   m = b1 m + (1 - b1) g                      "exp_avg"
//   v = b2 v + (1 - b2) g^2                    "exp_avg_sq"
//   w = w (1 - lr * weight_decay) - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
class AdamW final : public Optimizer {
 public:
  AdamW(const AdamWConfig& config, std::span<const OptimParameter> parameters, Plan& plan,
        StatePlace place = StatePlace::kDevice);

  std::string_view name() const override { return "adamw"; }

 private:
  void prepare(std::int64_t t, double learning_rate, double clip_scale) override;
  void update(const Elements& elements) const override;
  void update_on(CudaDevice& device, const Elements& elements) const override;

  AdamWConfig config_;
  AdamWScalars scalars_{};
};

}  // namespace cairn::optim
