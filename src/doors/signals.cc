#include "doors/signals.h"

#include <atomic>
#include <cstddef>

#include <signal.h>

namespace cairn {
namespace {

constexpr std::array<int, kNumSignals> kNumbers = {SIGTERM, SIGINT, SIGUSR2};

// A signal handler reaches nothing but objects at namespace scope: these are the door's only ones.
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);
constinit std::array<std::atomic<int>, kNumSignals> counts{};
constinit std::atomic<int> num_stops{0};
constinit std::atomic<bool> is_installed{false};

void on_signal(int number) {
  for (std::size_t i = 0; i < kNumbers.size(); ++i) {
    if (kNumbers[i] == number) {
      counts[i].fetch_add(1, std::memory_order_relaxed);
    }
  }
  if (number == SIGUSR2) {
    return;
  }
  if (num_stops.fetch_add(1, std::memory_order_relaxed) >= 1) {
    // Delivered with its default action as soon as this handler returns.
    ::signal(number, SIG_DFL);
    ::raise(number);
  }
}

class RealSignals : public Signals {
 public:
  bool install() {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < kNumbers.size(); ++i) {
      if (::sigaction(kNumbers[i], &action, &before_[i]) != 0) {
        return false;
      }
      ++num_replaced_;
    }
    return true;
  }

  ~RealSignals() override {
    for (std::size_t i = 0; i < num_replaced_; ++i) {
      ::sigaction(kNumbers[i], &before_[i], nullptr);
    }
    is_installed.store(false);
  }

  int count(Signal signal) const override {
    return counts[static_cast<std::size_t>(signal)].load(std::memory_order_relaxed);
  }

 private:
  std::array<struct sigaction, kNumSignals> before_{};
  std::size_t num_replaced_ = 0;
};

}  // namespace

Result<std::unique_ptr<Signals>> install_real_signals() {
  if (is_installed.exchange(true)) {
    return Status(StatusCode::kBug, "signal handlers are installed already");
  }
  for (std::atomic<int>& count : counts) {
    count.store(0);
  }
  num_stops.store(0);
  auto signals = std::make_unique<RealSignals>();
  if (!signals->install()) {
    return Status(StatusCode::kBug, "the system refused a signal handler");
  }
  return std::unique_ptr<Signals>(std::move(signals));
}

}  // namespace cairn
