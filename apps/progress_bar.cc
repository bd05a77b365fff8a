#include "progress_bar.h"

#include <ostream>

#include "base/progress.h"
#include "doors/clock.h"

namespace cairn::apps {
namespace {

constexpr double kDrawEverySeconds = 0.2;

}  // namespace

ProgressBar::ProgressBar(CommandContext& context, std::string_view label, std::string_view unit,
                         std::int64_t total)
    : context_(context), label_(label), unit_(unit), total_(total), start_s_(context.clock.monotonic_s()) {}

ProgressBar::~ProgressBar() {
  if (is_drawn_) {
    context_.err << "\r\x1B[K" << std::flush;
  }
}

void ProgressBar::update(std::int64_t done, std::string_view note, std::int64_t at_start) {
  if (!context_.is_interactive || context_.json) {
    return;
  }
  const double now_s = context_.clock.monotonic_s();
  if (now_s - drawn_s_ < kDrawEverySeconds) {
    return;
  }
  ProgressState state;
  state.label = label_;
  state.done = done;
  state.total = total_;
  state.unit = unit_;
  state.elapsed_s = now_s - start_s_;
  state.done_at_start = at_start;
  state.note = note;
  ProgressStyle style;
  style.use_color = context_.color;
  context_.err << '\r' << progress_line(state, style) << "\x1B[K" << std::flush;
  drawn_s_ = now_s;
  is_drawn_ = true;
}

}  // namespace cairn::apps
