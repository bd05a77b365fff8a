#include "optim/state_stream.h"

#include <algorithm>

#include "base/check.h"

namespace cairn::optim {
namespace {

constexpr std::int64_t kElementAlignment = kTensorAlignment / std::int64_t{sizeof(float)};

std::byte* bytes_of(float* data) {
  return reinterpret_cast<std::byte*>(data);
}

}  // namespace

std::int64_t StateStream::chunk_elements(std::int64_t largest_parameter) {
  const std::int64_t aligned = (largest_parameter + kElementAlignment - 1) / kElementAlignment;
  return std::clamp(aligned * kElementAlignment, kElementAlignment, kChunkMax);
}

StateStream::StateStream(CudaDevice& device, const TensorView& staging, int num_moments)
    : device_(device),
      staging_(reinterpret_cast<float*>(staging.bytes())),
      num_moments_(num_moments),
      chunk_(staging.num_elements() / (kSlots * num_moments)) {}

Result<std::unique_ptr<StateStream>> StateStream::create(CudaDevice& device, const TensorView& staging,
                                                         int num_moments) {
  CHECK(staging.device() == DeviceKind::kCuda && staging.dtype() == DType::kFloat32,
        "moments pass through float32 memory of the GPU");
  std::unique_ptr<StateStream> stream(new StateStream(device, staging, num_moments));
  TRY(stream->open());
  return stream;
}

Status StateStream::open() {
  for (int direction = 0; direction < 2; ++direction) {
    TRY_ASSIGN(CudaStream stream, CudaStream::create(device_));
    streams_.push_back(std::move(stream));
  }
  for (std::vector<CudaEvent>* events : {&arrived_, &updated_, &returned_}) {
    for (int slot = 0; slot < kSlots; ++slot) {
      TRY_ASSIGN(CudaEvent event, CudaEvent::create(device_));
      events->push_back(std::move(event));
    }
  }
  return ok_status();
}

float* StateStream::staged(int slot, int moment) const {
  return staging_ + (slot * num_moments_ + moment) * chunk_;
}

void StateStream::update(const OptimElements& elements,
                         const std::function<void(const OptimElements&)>& update) {
  CudaStream& in = streams_[0];
  CudaStream& out = streams_[1];
  for (std::int64_t begin = 0; begin < elements.count; begin += chunk_) {
    const int slot = static_cast<int>(num_chunks_++ % kSlots);
    const auto at = static_cast<std::size_t>(slot);
    OptimElements part = elements;
    part.count = std::min(chunk_, elements.count - begin);
    part.weight += begin;
    part.gradient += begin;
    if (part.compute != nullptr) {
      part.compute += begin * dtype_size(DType::kBFloat16);
    }
    const auto num_bytes = part.count * std::int64_t{sizeof(float)};
    returned_[at].hold(in.handle());
    for (int m = 0; m < num_moments_; ++m) {
      part.moments[m] = staged(slot, m);
      in.copy_to_device(bytes_of(part.moments[m]), bytes_of(elements.moments[m] + begin), num_bytes);
    }
    arrived_[at].record(in.handle());
    arrived_[at].hold(device_.stream());
    update(part);
    updated_[at].record(device_.stream());
    updated_[at].hold(out.handle());
    for (int m = 0; m < num_moments_; ++m) {
      out.copy_to_host(bytes_of(elements.moments[m] + begin), bytes_of(part.moments[m]), num_bytes);
    }
    returned_[at].record(out.handle());
  }
}

void StateStream::finish() {
  for (CudaEvent& event : returned_) {
    event.hold(device_.stream());
  }
}

}  // namespace cairn::optim
