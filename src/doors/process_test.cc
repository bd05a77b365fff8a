#include "doors/process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "base/text.h"
#include "doors/clock.h"

namespace cairn {
namespace {

ProcessRequest shell(std::string script) {
  ProcessRequest request;
  request.argv = {"sh", "-c", std::move(script)};
  request.timeout_s = 30;
  return request;
}

TEST(RealProcess, OutputErrorsAndCodeComeBack) {
  const auto runner = make_real_process_runner();
  const ProcessResult result = runner->run(shell("echo out; echo err >&2; exit 3")).value();
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.error_output, "err\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.signal, 0);
  EXPECT_FALSE(result.is_success());
}

TEST(RealProcess, InputIsGivenAndEnds) {
  const auto runner = make_real_process_runner();
  ProcessRequest request = shell("wc -c");
  request.input = std::string(300'000, 'x');  // more than any pipe holds
  EXPECT_EQ(trim(runner->run(request).value().output), "300000");
  request = shell("exit 0");
  request.input = std::string(300'000, 'x');  // nobody reads it
  EXPECT_TRUE(runner->run(request).value().is_success());
}

TEST(RealProcess, EnvironmentAndDirectoryAreSet) {
  const auto runner = make_real_process_runner();
  ProcessRequest request = shell("echo $CAIRN_TEST_VALUE; pwd");
  request.environment = {{"CAIRN_TEST_VALUE", "seven"}};
  request.directory = "/";
  EXPECT_EQ(runner->run(request).value().output, "seven\n/\n");
}

TEST(RealProcess, DeadlineKillsTheWholeGroup) {
  const auto runner = make_real_process_runner();
  const auto clock = make_real_clock();
  ProcessRequest request = shell("sleep 300 & echo $!; wait");
  request.timeout_s = 0.3;
  const std::int64_t before = clock->monotonic_ns();
  const ProcessResult result = runner->run(request).value();
  EXPECT_LT(clock->monotonic_ns() - before, 20 * kNsPerSecond);
  EXPECT_TRUE(result.is_timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
  const auto child = parse_int64(trim(result.output));
  ASSERT_TRUE(child.has_value());
  // The background child is gone too, or a zombie that nobody has collected yet.
  for (int i = 0; i < 200 && ::kill(static_cast<pid_t>(*child), 0) == 0; ++i) {
    const ProcessResult state =
        runner->run(shell("cut -d ' ' -f 3 /proc/" + std::to_string(*child) + "/stat")).value();
    if (trim(state.output) == "Z" || !state.is_success()) {
      return;
    }
    clock->sleep_for_ns(10'000'000);
  }
  EXPECT_NE(::kill(static_cast<pid_t>(*child), 0), 0);
}

TEST(RealProcess, MissingProgramIsNoInput) {
  const auto runner = make_real_process_runner();
  ProcessRequest request;
  request.argv = {"/nonexistent/program"};
  request.timeout_s = 5;
  const auto result = runner->run(request);
  EXPECT_EQ(result.status().code(), StatusCode::kNoInput);
  EXPECT_NE(result.status().message().find("/nonexistent/program"), std::string::npos);
  request.argv = {"true"};
  request.directory = "/nonexistent";
  EXPECT_EQ(runner->run(request).status().code(), StatusCode::kNoInput);
}

TEST(RealProcess, TooMuchOutputIsCut) {
  const auto runner = make_real_process_runner();
  ProcessRequest request = shell("head -c 500000 /dev/zero");
  request.output_bytes_max = 1000;
  const ProcessResult result = runner->run(request).value();
  EXPECT_EQ(result.output.size(), 1000U);
  EXPECT_TRUE(result.is_truncated);
  EXPECT_TRUE(result.is_success());
}

TEST(RealProcess, SignalsAreReported) {
  EXPECT_EQ(make_real_process_runner()->run(shell("kill -TERM $$")).value().signal, SIGTERM);
}

TEST(SimProcess, AnswersFromItsScript) {
  SimProcessRunner runner;
  runner.add_program("scontrol", [](const ProcessRequest& request) -> Result<ProcessResult> {
    ProcessResult result;
    result.output = request.argv.at(1);
    return result;
  });
  ProcessRequest request;
  request.argv = {"scontrol", "show"};
  request.timeout_s = 1;
  EXPECT_EQ(runner.run(request).value().output, "show");
  request.argv = {"squeue"};
  EXPECT_EQ(runner.run(request).status().code(), StatusCode::kNoInput);
  EXPECT_EQ(runner.requests().size(), 2U);
}

}  // namespace
}  // namespace cairn
