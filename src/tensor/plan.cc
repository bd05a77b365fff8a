#include "tensor/plan.h"

#include <algorithm>
#include <cstddef>

namespace cairn {
namespace {

std::size_t region_index(Lifetime lifetime) {
  return static_cast<std::size_t>(lifetime);
}

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

}  // namespace

std::string_view lifetime_name(Lifetime lifetime) {
  constexpr std::array<std::string_view, kNumLifetimes> kNames = {
      "parameters", "gradients", "optimizer", "saved activations", "scratch", "input and output"};
  return kNames[region_index(lifetime)];
}

TensorId Plan::add(TensorSpec spec) {
  CHECK(!is_sealed(), "a sealed plan takes no more tensors");
  const std::int64_t bytes = aligned(spec.shape.num_elements() * dtype_size(spec.dtype));
  std::int64_t& used = used_[region_index(spec.lifetime)];
  if (spec.lifetime == Lifetime::kScratch) {
    offsets_.push_back(scratch_top_);
    scratch_top_ += bytes;
    used = std::max(used, scratch_top_);
  } else {
    offsets_.push_back(used);
    used += bytes;
  }
  specs_.push_back(std::move(spec));
  return {static_cast<std::int32_t>(specs_.size() - 1)};
}

void Plan::enter_scratch() {
  scratch_marks_.push_back(scratch_top_);
}

void Plan::leave_scratch() {
  CHECK(!scratch_marks_.empty(), "leave_scratch without enter_scratch");
  scratch_top_ = scratch_marks_.back();
  scratch_marks_.pop_back();
}

void Plan::keep_on_host(Lifetime lifetime) {
  CHECK(!is_sealed(), "a sealed plan does not move");
  on_host_[region_index(lifetime)] = true;
}

bool Plan::is_on_host(Lifetime lifetime) const {
  return lifetime == Lifetime::kIo || on_host_[region_index(lifetime)];
}

void Plan::seal(int num_slots) {
  CHECK(!is_sealed(), "a plan is sealed once");
  CHECK(num_slots >= 1, "at least one slot");
  CHECK(scratch_marks_.empty(), "a scratch scope is still open");
  num_slots_ = num_slots;
}

std::int64_t Plan::region_bytes(Lifetime lifetime) const {
  CHECK(is_sealed(), "the plan is not sealed");
  const std::int64_t bytes = used_[region_index(lifetime)];
  return lifetime == Lifetime::kSaved ? bytes * num_slots_ : bytes;
}

std::int64_t Plan::total_bytes() const {
  std::int64_t total = 0;
  for (int i = 0; i < kNumLifetimes; ++i) {
    total += region_bytes(static_cast<Lifetime>(i));
  }
  return total;
}

std::int64_t Plan::device_bytes() const {
  std::int64_t total = 0;
  for (int i = 0; i < kNumLifetimes; ++i) {
    const auto lifetime = static_cast<Lifetime>(i);
    total += is_on_host(lifetime) ? 0 : region_bytes(lifetime);
  }
  return total;
}

std::int64_t Plan::offset(TensorId id, int slot) const {
  CHECK(is_sealed(), "the plan is not sealed");
  const TensorSpec& tensor = spec(id);
  const std::int64_t base = offsets_[static_cast<std::size_t>(id.index)];
  if (tensor.lifetime != Lifetime::kSaved) {
    return base;
  }
  CHECK(slot >= 0 && slot < num_slots_, "slot out of range");
  return base + slot * used_[region_index(Lifetime::kSaved)];
}

const TensorSpec& Plan::spec(TensorId id) const {
  CHECK(id.index >= 0 && id.index < static_cast<std::int32_t>(specs_.size()), "unknown tensor");
  return specs_[static_cast<std::size_t>(id.index)];
}

}  // namespace cairn
