#include "train/start_times.h"

#include <gtest/gtest.h>

namespace cairn::train {
namespace {

TEST(StartTimes, PhasesAreToldInOrderAndAddUp) {
  StartTimes times(100.0);
  times.end("inputs", 100.5);
  times.end("data", 102.0);
  times.end("first_step", 102.25);
  EXPECT_EQ(times.total_s(), 2.25);
  Logger log([] { return std::int64_t{0}; });
  StringOutput text;
  JsonLinesSink sink(text);
  log.add_sink(sink, LogLevel::kInfo);
  times.log(log);
  EXPECT_NE(text.text().find(R"("message":"first step done","start_s":2.25,"inputs_s":0.5,"data_s":1.5,)"
                             R"("first_step_s":0.25})"),
            std::string::npos)
      << text.text();
}

}  // namespace
}  // namespace cairn::train
