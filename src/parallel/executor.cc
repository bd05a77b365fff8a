#include "parallel/executor.h"

#include <string>
#include <utility>

#include "ops/elementwise.h"
#include "ops/op_context.h"

namespace cairn::parallel {

Executor Executor::declare(std::span<const nn::Parameter> parameters, std::int64_t num_microbatches_max,
                           Plan& plan) {
  Executor executor;
  const int num_levels = num_partial_buffers(num_microbatches_max);
  for (const nn::Parameter& parameter : parameters) {
    Buffers buffers{parameter.gradient, {}};
    for (int level = 0; level < num_levels; ++level) {
      buffers.partials.push_back(
          plan.add({"partial sum " + std::to_string(level) + " of grad." + parameter.name, parameter.shape,
                    DType::kFloat32, Lifetime::kGradient}));
    }
    executor.declared_.push_back(std::move(buffers));
  }
  return executor;
}

void Executor::bind(const Memory& memory, ThreadPool& pool, nn::Model& model, std::function<double()> now_s) {
  pool_ = &pool;
  device_ = memory.device();
  model_ = &model;
  now_s_ = std::move(now_s);
  for (const Buffers& buffers : declared_) {
    gradients_.push_back(memory.view(buffers.gradient));
    partials_.resize(buffers.partials.size());
    for (std::size_t level = 0; level < buffers.partials.size(); ++level) {
      partials_[level].push_back(memory.view(buffers.partials[level]));
    }
  }
}

PhaseTimes Executor::run(std::span<const WorkItem> items, std::span<const Microbatch> microbatches) {
  PhaseTimes times;
  double before = now_s_();
  zero_gradients();
  for (const WorkItem& item : items) {
    CHECK(item.microbatch < static_cast<std::int64_t>(microbatches.size()),
          "the schedule asks for a missing microbatch");
    const Microbatch& microbatch = microbatches[static_cast<std::size_t>(item.microbatch)];
    double* phase_s = &times.backward_s;
    switch (item.phase) {
      case WorkItem::Phase::kForward:
        model_->forward(microbatch.batch, item.slot, microbatch.loss_BT, microbatch.dloss_BT);
        phase_s = &times.forward_s;
        break;
      case WorkItem::Phase::kBackward:
        model_->backward(microbatch.batch, item.slot);
        break;
      case WorkItem::Phase::kReduce:
        reduce(item.reduction);
        break;
    }
    const double now = now_s_();
    *phase_s += now - before;
    before = now;
  }
  return times;
}

void Executor::zero_gradients() {
  const ops::OpContext ctx{*pool_, {}, device_};
  for (const TensorView& gradient : gradients_) {
    ops::fill_zero(ctx, gradient);
  }
}

void Executor::reduce(const ReductionAction& action) {
  if (partials_.empty()) {
    return;  // backward adds every microbatch to the gradients themselves
  }
  const ops::OpContext ctx{*pool_, {}, device_};
  const std::vector<TensorView>& partials = partials_[static_cast<std::size_t>(action.level)];
  for (std::size_t i = 0; i < gradients_.size(); ++i) {
    if (action.kind == ReductionAction::Kind::kAddPartial) {
      ops::accumulate(ctx, gradients_[i], partials[i]);
    } else {
      ops::copy(ctx, partials[i], gradients_[i]);
    }
  }
  if (action.kind == ReductionAction::Kind::kMoveToPartial) {
    zero_gradients();
  }
}

}  // namespace cairn::parallel
