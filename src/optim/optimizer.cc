#include "optim/optimizer.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "optim/state_stream.h"

namespace cairn::optim {
namespace {

// Elements for one worker at least: waking the workers costs some microseconds.
constexpr std::int64_t kElementGrain = 16384;

// On either device; only kernels follow the pointer of a GPU's tensor.
float* float_data(const TensorView& view) {
  CHECK(view.dtype() == DType::kFloat32, "the optimizer works in float32");
  return reinterpret_cast<float*>(view.bytes());
}

}  // namespace

Optimizer::~Optimizer() = default;

Optimizer::Optimizer(std::span<const OptimParameter> parameters, std::span<const std::string_view> moments,
                     Plan& plan, StatePlace place)
    : num_moments_(moments.size()) {
  CHECK(moments.size() <= static_cast<std::size_t>(kMomentsMax), "an optimizer with too many moments");
  for (const OptimParameter& parameter : parameters) {
    CHECK(parameter.weight.is_valid() && parameter.gradient.is_valid(),
          "the optimizer needs weight and gradient of " + parameter.name);
    slots_.push_back(
        {parameter.shape, parameter.weight, parameter.gradient, parameter.compute, num_elements_});
    num_elements_ += parameter.shape.num_elements();
    for (const std::string_view moment : moments) {
      const TensorId tensor = plan.add({std::string(moment) + "." + parameter.name, parameter.shape,
                                        DType::kFloat32, Lifetime::kOptimizer});
      state_.push_back({std::string(moment), parameter.name, tensor});
    }
  }
  if (place == StatePlace::kHost) {
    std::int64_t largest = 0;
    for (const Slot& slot : slots_) {
      largest = std::max(largest, slot.shape.num_elements());
    }
    const std::int64_t elements =
        StateStream::kSlots * static_cast<std::int64_t>(num_moments_) * StateStream::chunk_elements(largest);
    plan.keep_on_host(Lifetime::kOptimizer);
    staging_ = plan.add({"moments passing through", Shape{elements}, DType::kFloat32, Lifetime::kScratch});
  }
}

void Optimizer::bind(const Memory& memory, ThreadPool& pool) {
  pool_ = &pool;
  device_ = memory.device();
  bound_.clear();
  if (device_ != nullptr && staging_.is_valid()) {
    auto stream = StateStream::create(*device_, memory.view(staging_), static_cast<int>(num_moments_));
    CHECK(stream.ok(), stream.status().message());
    stream_ = std::move(*stream);
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const TensorView weight = memory.view(slot.weight);
    const TensorView gradient = memory.view(slot.gradient);
    CHECK(weight.shape() == slot.shape && gradient.shape() == slot.shape,
          "optimizer: weight, gradient and parameter differ in shape: " + state_[i * num_moments_].parameter);
    Elements elements{
        float_data(weight), float_data(gradient), {}, slot.shape.num_elements(), is_decayed(slot.shape)};
    if (slot.compute.is_valid()) {
      elements.compute = memory.view(slot.compute).bytes();
    }
    for (std::size_t m = 0; m < num_moments_; ++m) {
      elements.moments[m] = float_data(memory.view(state_[i * num_moments_ + m].tensor));
    }
    bound_.push_back(elements);
  }
}

void Optimizer::step(std::int64_t t, double learning_rate, double clip_scale) {
  CHECK(pool_ != nullptr, "the optimizer is not bound");
  CHECK(t >= 1, "optimizer steps count from 1");
  CHECK(std::isfinite(learning_rate) && std::isfinite(clip_scale),
        "a step that is not finite must be refused");
  prepare(t, learning_rate, clip_scale);
  if (device_ != nullptr) {
    update_all_on_device();
    return;
  }
  // All parameters as one line of elements, cut evenly: an update of an element depends on nothing else.
  pool_->parallel_for(num_elements_, kElementGrain,
                      [this](std::int64_t begin, std::int64_t end) { update_range(begin, end); });
}

void Optimizer::update_all_on_device() {
  if (!stream_) {
    for (const Elements& elements : bound_) {
      update_on(*device_, elements);
    }
    return;
  }
  for (const Elements& elements : bound_) {
    stream_->update(elements, [this](const Elements& part) { update_on(*device_, part); });
  }
  stream_->finish();
}

void Optimizer::update_range(std::int64_t begin, std::int64_t end) const {
  // The last parameter that starts at or before `begin`.
  const auto after =
      std::upper_bound(slots_.begin(), slots_.end(), begin,
                       [](std::int64_t value, const Slot& slot) { return value < slot.first_element; });
  auto index = static_cast<std::size_t>(after - slots_.begin()) - 1;
  for (; index < slots_.size() && slots_[index].first_element < end; ++index) {
    Elements part = bound_[index];
    const std::int64_t first = slots_[index].first_element;
    const std::int64_t skipped = std::max<std::int64_t>(0, begin - first);
    part.count = std::min(part.count, end - first) - skipped;
    part.weight += skipped;
    part.gradient += skipped;
    for (std::size_t m = 0; m < num_moments_; ++m) {
      part.moments[m] += skipped;
    }
    update(part);
  }
}

}  // namespace cairn::optim
