#include "doors/clock.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace cairn {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec now = {};
  ::clock_gettime(id, &now);
  return static_cast<std::int64_t>(now.tv_sec) * kNsPerSecond + now.tv_nsec;
}

class RealClock : public Clock {
 public:
  std::int64_t wall_ns() override { return read_clock(CLOCK_REALTIME); }
  std::int64_t monotonic_ns() override { return read_clock(CLOCK_MONOTONIC); }

  void sleep_for_ns(std::int64_t ns) override {
    if (ns <= 0) {
      return;
    }
    // Until an absolute time, so that interrupted sleeps do not add up.
    const std::int64_t end = monotonic_ns() + ns;
    const timespec until = {static_cast<time_t>(end / kNsPerSecond), static_cast<long>(end % kNsPerSecond)};
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
  }
};

}  // namespace

std::unique_ptr<Clock> make_real_clock() {
  return std::make_unique<RealClock>();
}

std::int64_t SimClock::wall_ns() {
  const std::lock_guard lock(mutex_);
  return wall_ns_;
}

std::int64_t SimClock::monotonic_ns() {
  const std::lock_guard lock(mutex_);
  return monotonic_ns_;
}

void SimClock::advance_ns(std::int64_t ns) {
  const std::lock_guard lock(mutex_);
  wall_ns_ += std::max<std::int64_t>(ns, 0);
  monotonic_ns_ += std::max<std::int64_t>(ns, 0);
}

void SimClock::jump_wall_ns(std::int64_t ns) {
  const std::lock_guard lock(mutex_);
  wall_ns_ += ns;
}

}  // namespace cairn
