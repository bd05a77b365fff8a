// One line of a progress bar, as a pure function of the state. The caller writes "\r" + line to a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn {

struct ProgressState {
  std::string_view label = {};     // "train"
  std::int64_t done = 0;           // in `unit`s
  std::int64_t total = 0;          // 0 = unknown: no bar and no time left
  std::string_view unit = {};      // "step", "sample"
  double elapsed_s = 0;            // since `done_at_start`
  std::int64_t done_at_start = 0;  // a resumed run does not count what was there before into its rate
  std::string_view note = {};      // shown last when it fits: "loss 3.21"
};

struct ProgressStyle {
  int width = 80;          // columns of the terminal; the line never has more
  bool use_color = false;  // off when NO_COLOR is set or the output is no terminal
  bool use_unicode = true;
};

// "train  42% [#######---------] 420/1,000 step  12.3 step/s  47 s left  loss 3.21". Parts that do not fit
// are dropped from the right, the bar shrinks first. Exactly `width` or fewer columns, no newline.
std::string progress_line(const ProgressState& state, const ProgressStyle& style);

}  // namespace cairn
