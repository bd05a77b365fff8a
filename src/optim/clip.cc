#include "optim/clip.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "optim/optimizer_backends.h"

namespace cairn::optim {
namespace {

constexpr std::int64_t kChunk = 4096;
constexpr std::size_t kLanes = 16;

// Sum of squares in double (a product of two floats is exact there): element i of the chunk goes to lane i % 16.
double chunk_sum(const float* x, std::int64_t count) {
  std::array<double, kLanes> lanes{};
  std::int64_t i = 0;
  for (; i + static_cast<std::int64_t>(kLanes) <= count; i += static_cast<std::int64_t>(kLanes)) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double v = static_cast<double>(x[i + static_cast<std::int64_t>(lane)]);
      lanes[lane] += v * v;
    }
  }
  for (std::size_t lane = 0; i < count; ++i, ++lane) {
    const double v = static_cast<double>(x[i]);
    lanes[lane] += v * v;
  }
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t lane = 0; lane < width; ++lane) {
      lanes[lane] += lanes[lane + width];
    }
  }
  return lanes[0];
}

}  // namespace

GradientClip::GradientClip(double max_norm, std::span<const OptimParameter> parameters, Plan& plan,
                           DeviceKind device)
    : max_norm_(max_norm) {
  CHECK(max_norm >= 0.0 && std::isfinite(max_norm), "the gradient norm's limit must be 0 or positive");
  std::vector<const OptimParameter*> sorted;
  for (const OptimParameter& parameter : parameters) {
    sorted.push_back(&parameter);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const OptimParameter* a, const OptimParameter* b) { return a->name < b->name; });
  for (const OptimParameter* parameter : sorted) {
    const std::int64_t num_elements = parameter->shape.num_elements();
    entries_.push_back({parameter->gradient, num_elements, num_chunks_});
    norms_.push_back({parameter->name, 0.0});
    num_chunks_ += (num_elements + kChunk - 1) / kChunk;
  }
  const ScratchScope scope(plan);
  // A GPU writes them into memory that the host reads.
  const Lifetime where = device == DeviceKind::kCpu ? Lifetime::kScratch : Lifetime::kIo;
  partial_sums_ = plan.add({"gradient norm partial sums", Shape{num_chunks_}, DType::kFloat64, where});
}

void GradientClip::bind(const Memory& memory, ThreadPool& pool) {
  pool_ = &pool;
  device_ = memory.device();
  partials_ = memory.view(partial_sums_).data<double>();
  gradients_.clear();
  for (const Entry& entry : entries_) {
    const TensorView gradient = memory.view(entry.gradient);
    CHECK(gradient.num_elements() == entry.num_elements, "a gradient's size differs from its parameter's");
    CHECK(gradient.dtype() == DType::kFloat32, "gradients are float32");
    gradients_.push_back(reinterpret_cast<const float*>(gradient.bytes()));
  }
}

void GradientClip::sum_chunks_on_device() {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    cuda::chunk_squares(*device_, partials_ + entries_[i].first_chunk, gradients_[i],
                        entries_[i].num_elements, kChunk);
  }
  const Status status = device_->synchronize();
  CHECK(status.ok(), status.message());
}

void GradientClip::sum_chunks_on_host() {
  pool_->parallel_for(num_chunks_, 4, [this](std::int64_t begin, std::int64_t end) {
    const auto after =
        std::upper_bound(entries_.begin(), entries_.end(), begin,
                         [](std::int64_t value, const Entry& entry) { return value < entry.first_chunk; });
    auto index = static_cast<std::size_t>(after - entries_.begin()) - 1;
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      while (index + 1 < entries_.size() && entries_[index + 1].first_chunk <= chunk) {
        ++index;
      }
      const std::int64_t first = (chunk - entries_[index].first_chunk) * kChunk;
      partials_[chunk] =
          chunk_sum(gradients_[index] + first, std::min(kChunk, entries_[index].num_elements - first));
    }
  });
}

ClipResult GradientClip::measure() {
  CHECK(pool_ != nullptr, "the clipping is not bound");
  if (device_ != nullptr) {
    sum_chunks_on_device();
  } else {
    sum_chunks_on_host();
  }
  double total = 0.0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const std::int64_t end = i + 1 < entries_.size() ? entries_[i + 1].first_chunk : num_chunks_;
    norms_[i].squared_norm = std::accumulate(partials_ + entries_[i].first_chunk, partials_ + end, 0.0);
    total += norms_[i].squared_norm;
  }
  ClipResult result;
  result.norm = std::sqrt(total);
  result.is_finite = std::isfinite(result.norm);
  if (max_norm_ > 0.0 && result.is_finite) {
    result.clip_scale = std::min(1.0, max_norm_ / (result.norm + 1e-6));
  }
  return result;
}

}  // namespace cairn::optim
