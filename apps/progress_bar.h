// The progress bar of commands: one line of a terminal, redrawn now and then, and wiped at the end.
#pragma once

#include <cstdint>
#include <string_view>

#include "commands.h"

namespace cairn::apps {

class ProgressBar {
 public:
  // Draws nothing when standard error is no terminal, or with --json. REQUIRES that the texts outlive it.
  ProgressBar(CommandContext& context, std::string_view label, std::string_view unit, std::int64_t total);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // For work that learns how much there is when it has begun; 0 until then.
  void set_total(std::int64_t total) { total_ = total; }
  // `note`: shown last where there is room. `at_start`: done by an earlier process, so not counted into the rate.
  void update(std::int64_t done, std::string_view note = {}, std::int64_t at_start = 0);

 private:
  CommandContext& context_;
  std::string_view label_;
  std::string_view unit_;
  std::int64_t total_;
  double start_s_;
  double drawn_s_ = 0;
  bool is_drawn_ = false;
};

}  // namespace cairn::apps
