#include "train/telemetry.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"
#include "formats/json.h"

namespace cairn::train {
namespace {

class TelemetryTest : public testing::Test {
 protected:
  std::unique_ptr<Telemetry> open(bool is_terminal) {
    TelemetryOptions options;
    options.metrics_path = "/run/metrics";
    options.tensorboard_path = "/run/tensorboard";
    options.log_file = "/run/logs/1/rank-00000.log";
    options.host = "node";
    options.log_every = 2;
    options.console.output = &console_;
    options.console.is_terminal = is_terminal;
    Result<std::unique_ptr<Telemetry>> telemetry = Telemetry::open(files_, log_, 0, options);
    EXPECT_TRUE(telemetry.ok()) << telemetry.status().message();
    return std::move(telemetry).value();
  }
  std::string text(const std::string& path) { return files_.read_text(path).value(); }

  SimFileSystem files_{1};
  Logger log_{[] { return std::int64_t{0}; }};
  StringOutput console_;
};

StepRecord record_of(std::int64_t step) {
  StepRecord record;
  record.step = step;
  record.num_steps = 5;
  record.loss = 1.5;
  return record;
}

TEST_F(TelemetryTest, FilesGetEveryStepTheConsoleEverySecondOne) {
  const auto telemetry = open(false);
  for (std::int64_t step = 1; step <= 3; ++step) {
    telemetry->record_step(record_of(step), 0, 1.0);
  }
  telemetry->close();
  EXPECT_EQ(std::ranges::count(text("/run/metrics/train.jsonl"), '\n'), 3);
  EXPECT_EQ(std::ranges::count(text("/run/logs/1/rank-00000.log"), '\n'), 3);
  EXPECT_EQ(std::ranges::count(console_.text(), '\n'), 1);
  EXPECT_NE(console_.text().find("step 2/5"), std::string::npos);
}

TEST_F(TelemetryTest, ATerminalGetsABarThatNotesDoNotBreak) {
  const auto telemetry = open(true);
  telemetry->record_step(record_of(1), 0, 1.0);
  EXPECT_EQ(console_.text().find('\n'), std::string::npos);
  telemetry->note("checkpoint confirmed");
  EXPECT_NE(console_.text().find("checkpoint confirmed\n"), std::string::npos);
  telemetry->close();
}

TEST_F(TelemetryTest, EvaluationsAreJsonWithEscapedNames) {
  const auto telemetry = open(false);
  telemetry->record_evaluation({1.0, 1, 4, "news \"de\"", 2.0, 7.389, 0.25, 100});
  telemetry->close();
  const std::string line = text("/run/metrics/eval.jsonl");
  const Result<Json> json = parse_json(line, {});
  ASSERT_TRUE(json.ok()) << json.status().message();
  EXPECT_EQ((*json)["set"], "news \"de\"");
  EXPECT_EQ((*json)["accuracy"], 0.25);
  EXPECT_EQ((*json)["num_tokens"], 100);
}

TEST_F(TelemetryTest, AFullDiskIsWarnedAboutOnceAndEndsNothing) {
  StringOutput warnings;
  HumanSink sink(warnings, false);
  log_.add_sink(sink, LogLevel::kInfo);
  const auto telemetry = open(false);
  files_.set_free_bytes(10);
  for (std::int64_t step = 1; step <= 3; ++step) {
    telemetry->record_step(record_of(step), 0, 1.0);
    telemetry->flush();
  }
  telemetry->close();
  const std::string text = warnings.text();
  const std::size_t first = text.find("cannot be written");
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find("cannot be written", first + 1), std::string::npos) << text;
}

}  // namespace
}  // namespace cairn::train
