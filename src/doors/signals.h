// The door to signals: SIGTERM and SIGINT ask for a stop, SIGUSR2 for a save and stop (Slurm's warning).
// They are only noted; the training loop asks at each step boundary. A second stop signal ends the process at
// once by its default action (status 128 + n as a shell sees it).
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/status.h"

namespace cairn {

enum class Signal : std::uint8_t { kTerminate, kInterrupt, kUser2 };
inline constexpr int kNumSignals = 3;

class Signals {
 public:
  virtual ~Signals() = default;
  // How often it came since install (or the start of the simulation). Never reset.
  virtual int count(Signal signal) const = 0;
  bool was_received(Signal signal) const { return count(signal) > 0; }
  bool is_stop_requested() const {
    return was_received(Signal::kTerminate) || was_received(Signal::kInterrupt) ||
           was_received(Signal::kUser2);
  }
};

// Installs the handlers of this process; the destructor restores what was there. One at a time: kBug
// otherwise.
Result<std::unique_ptr<Signals>> install_real_signals();

class SimSignals : public Signals {
 public:
  int count(Signal signal) const override { return counts_[static_cast<std::size_t>(signal)]; }
  void raise(Signal signal) { ++counts_[static_cast<std::size_t>(signal)]; }

 private:
  std::array<int, kNumSignals> counts_{};
};

}  // namespace cairn
