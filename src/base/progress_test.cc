#include "base/progress.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace cairn {
namespace {

int columns(const std::string& line) {
  int count = 0;
  for (std::size_t at = 0; at < line.size(); ++count) {
    at += static_cast<std::size_t>(decode_utf8(line, at).length);
  }
  return count;
}

ProgressState training() {
  return {.label = "train", .done = 420, .total = 1000, .unit = "step", .elapsed_s = 42, .note = "loss 3.21"};
}

TEST(Progress, ShowsEverythingWhenThereIsRoom) {
  EXPECT_EQ(progress_line(training(), {.width = 100, .use_color = false, .use_unicode = false}),
            "train  42% [###########-----------------] 420/1,000 step  10 step/s  58.0 s left  loss 3.21");
}

TEST(Progress, NeverExceedsTheWidth) {
  for (int width = 0; width <= 120; ++width) {
    for (const bool use_unicode : {false, true}) {
      const std::string line = progress_line(training(), {width, false, use_unicode});
      ASSERT_LE(columns(line), width) << line;
      ASSERT_EQ(line.find('\n'), std::string::npos);
      ASSERT_EQ(line.find('\x1b'), std::string::npos);
    }
  }
}

TEST(Progress, DropsTheNoteFirst) {
  const std::string line = progress_line(training(), {.width = 62, .use_color = false, .use_unicode = false});
  EXPECT_EQ(line.find("loss"), std::string::npos) << line;
  EXPECT_NE(line.find("left"), std::string::npos) << line;
}

TEST(Progress, RateCountsOnlyThisProcess) {
  ProgressState state = training();
  state.done_at_start = 400;
  state.elapsed_s = 40;
  const std::string line = progress_line(state, {.width = 120, .use_color = false, .use_unicode = false});
  EXPECT_NE(line.find("2.00 s/step"), std::string::npos) << line;
  EXPECT_NE(line.find("19 min 20 s left"), std::string::npos) << line;
}

TEST(Progress, EndsAndOddStatesAreSane) {
  const ProgressStyle style = {.width = 80, .use_color = false, .use_unicode = false};
  EXPECT_NE(progress_line({.done = 0, .total = 10}, style).find("  0% ["), std::string::npos);
  EXPECT_NE(progress_line({.done = 10, .total = 10, .elapsed_s = 1}, style).find("100% [####"),
            std::string::npos);
  EXPECT_NE(progress_line({.done = 12, .total = 10}, style).find("100%"), std::string::npos);
  EXPECT_EQ(progress_line({.label = "read", .done = 5, .unit = "file"}, style), "read 5 file");
}

TEST(Progress, ColorIsAnOption) {
  EXPECT_NE(progress_line(training(), {.width = 100, .use_color = true}).find("\x1b[32m"), std::string::npos);
}

}  // namespace
}  // namespace cairn
