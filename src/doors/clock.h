// The door to time. Waiting and deadlines go through it, so that a simulation runs hours in milliseconds.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

namespace cairn {

inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t wall_ns() = 0;              // since 1970-01-01 UTC; may jump
  virtual std::int64_t monotonic_ns() = 0;         // never goes back; origin unspecified
  virtual void sleep_for_ns(std::int64_t ns) = 0;  // at least this long; negative is zero

  double monotonic_s() { return static_cast<double>(monotonic_ns()) * 1e-9; }
};

std::unique_ptr<Clock> make_real_clock();

// Time that moves only when somebody sleeps or advances it.
class SimClock : public Clock {
 public:
  explicit SimClock(std::int64_t wall_ns) : wall_ns_(wall_ns) {}
  std::int64_t wall_ns() override;
  std::int64_t monotonic_ns() override;
  void sleep_for_ns(std::int64_t ns) override { advance_ns(ns); }
  void advance_ns(std::int64_t ns);
  void jump_wall_ns(std::int64_t ns);  // the wall clock alone is set forward or back

 private:
  std::mutex mutex_;
  std::int64_t wall_ns_;
  std::int64_t monotonic_ns_ = 0;
};

}  // namespace cairn
