#include "data/stage_forecast.h"

#include <algorithm>

namespace cairn::data {
namespace {

constexpr double kUnknown = -1.0;

// What is known of an order while stages pass.
struct OrderState {
  double epoch_samples = 0.0;  // 0: unknown
  double used = 0.0;           // -1: unknown
};

SourceForecast forecast_source(const PlannedOrder& order, double share, double num_samples,
                               OrderState& state) {
  SourceForecast source;
  source.prefix = order.prefix;
  source.share = share;
  source.num_samples = num_samples;
  const double before = state.used;
  state.used = num_samples < 0 || before < 0 ? kUnknown : before + num_samples;
  if (state.epoch_samples > 0) {
    source.epochs_before = before < 0 ? kUnknown : before / state.epoch_samples;
    source.epochs_after = state.used < 0 ? kUnknown : state.used / state.epoch_samples;
  }
  return source;
}

// Samples left of the sources of a stage, in all; -1 when one is not known.
double samples_left(const PlannedStage& stage, const std::vector<OrderState>& states) {
  double left = 0.0;
  for (const PlannedUse& use : stage.uses) {
    const OrderState& state = states[use.order];
    if (state.epoch_samples <= 0 || state.used < 0) {
      return kUnknown;
    }
    left += std::max(state.epoch_samples - state.used, 0.0);
  }
  return left;
}

}  // namespace

std::vector<StageForecast> forecast_stages(
    const StagePlan& plan, const std::function<std::int64_t(const std::string& prefix)>& epoch_samples) {
  std::vector<OrderState> states;
  for (const PlannedOrder& order : plan.orders) {
    states.push_back({static_cast<double>(epoch_samples(order.prefix)), 0.0});
  }
  std::vector<StageForecast> forecasts;
  for (const PlannedStage& stage : plan.stages) {
    StageForecast forecast;
    forecast.start_samples = stage.start_samples;
    forecast.num_samples = stage.num_samples;
    const auto count = static_cast<double>(stage.num_samples);
    const double left = stage.is_by_size ? samples_left(stage, states) : 0.0;
    if (stage.is_by_size && left >= 0) {
      forecast.missing_samples = std::max(count - left, 0.0);
    }
    for (const PlannedUse& use : stage.uses) {
      OrderState& state = states[use.order];
      double share = use.weight;
      if (stage.is_by_size) {
        share = left > 0 ? std::max(state.epoch_samples - state.used, 0.0) / left : kUnknown;
      }
      forecast.sources.push_back(
          forecast_source(plan.orders[use.order], share, share < 0 ? kUnknown : share * count, state));
    }
    forecasts.push_back(std::move(forecast));
  }
  return forecasts;
}

}  // namespace cairn::data
