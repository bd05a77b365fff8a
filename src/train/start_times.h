// Where the time of a start goes, from the first input read to the first finished step.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"

namespace cairn::train {

class StartTimes {
 public:
  explicit StartTimes(double now_s) : start_s_(now_s), before_s_(now_s) {}

  // `phase` took the time since the phase before it. Once for each.
  void end(std::string phase, double now_s);
  double total_s() const { return before_s_ - start_s_; }
  // One record "first step done": start_s, and the seconds of each phase as <phase>_s, in their order.
  void log(Logger& log) const;
  // The phases of a run, for docs/metrics.md.
  static std::string documentation();

 private:
  double start_s_;
  double before_s_;
  std::vector<std::pair<std::string, double>> fields_;
};

}  // namespace cairn::train
