#include "base/log.h"

#include <cmath>
#include <limits>
#include <thread>

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr std::int64_t kTime = 1'767'323'045'678'901'000;  // 2026-01-02T03:04:05.678901Z

std::string human(const LogRecord& record) {
  std::string line;
  append_human_line(line, record, false);
  return line;
}

std::string json(const LogRecord& record) {
  std::string line;
  append_json_line(line, record);
  return line;
}

TEST(Log, HumanLineShowsFieldsReadably) {
  const LogField fields[] = {{"step", 12},
                             {"loss", 3.14159265, 4},
                             {"name", "two words"},
                             {"path", "/a/b"},
                             {"is_new", true},
                             {"empty", ""},
                             {"gradient_norm", std::numeric_limits<double>::infinity()}};
  EXPECT_EQ(human({LogLevel::kInfo, kTime, "trained", fields}),
            "03:04:05.678 info     trained  step=12  loss=3.142  name=\"two words\"  path=/a/b  is_new=true  "
            "empty=\"\"  gradient_norm=inf\n");
}

TEST(Log, HumanLineCannotControlTheTerminal) {
  const LogField fields[] = {{"name", "\x1b[31m"}};
  const std::string line = human({LogLevel::kWarning, kTime, "a\x1b[2Jb\nc", fields});
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_NE(line.find("a?[2Jb\n    c"), std::string::npos);
}

TEST(Log, JsonLineIsExact) {
  const LogField fields[] = {{"step", std::int64_t{-1}},
                             {"bits", std::uint64_t{18446744073709551615ULL}},
                             {"loss", 0.1, 2},
                             {"norm", std::nan("")},
                             {"low", -std::numeric_limits<double>::infinity()},
                             {"text", "q\"b\\n\n\x01\xFF"}};
  EXPECT_EQ(json({LogLevel::kError, kTime, "m", fields}),
            "{\"time\":\"2026-01-02T03:04:05.678901Z\",\"level\":\"error\",\"message\":\"m\",\"step\":-1,"
            "\"bits\":18446744073709551615,\"loss\":0.1,\"norm\":\"nan\",\"low\":\"-inf\","
            "\"text\":\"q\\\"b\\\\n\\n\\u0001\xEF\xBF\xBD\"}\n");
}

TEST(Log, LevelsChooseSinks) {
  StringOutput all;
  StringOutput errors;
  HumanSink all_sink(all, false);
  JsonLinesSink error_sink(errors);
  Logger logger([] { return kTime; });
  logger.info("nobody listens");
  logger.add_sink(all_sink, LogLevel::kDebug);
  logger.add_sink(error_sink, LogLevel::kError);
  logger.debug("one");
  logger.error("two", {{"code", 74}});
  EXPECT_EQ(all.text(), "03:04:05.678 debug    one\n03:04:05.678 error    two  code=74\n");
  EXPECT_EQ(
      errors.text(),
      "{\"time\":\"2026-01-02T03:04:05.678901Z\",\"level\":\"error\",\"message\":\"two\",\"code\":74}\n");
}

TEST(Log, ColorsOnlyWhenAsked) {
  std::string plain;
  std::string colored;
  append_human_line(plain, {LogLevel::kError, kTime, "m", {}}, false);
  append_human_line(colored, {LogLevel::kError, kTime, "m", {}}, true);
  EXPECT_EQ(plain.find('\x1b'), std::string::npos);
  EXPECT_NE(colored.find("\x1b[31m"), std::string::npos);
}

TEST(Log, LinesOfThreadsDoNotMix) {
  StringOutput output;
  HumanSink sink(output, false);
  Logger logger([] { return kTime; });
  logger.add_sink(sink, LogLevel::kInfo);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&logger] {
      for (int i = 0; i < 250; ++i) {
        logger.info("abc", {{"i", i}});
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  int num_lines = 0;
  std::size_t begin = 0;
  while (begin < output.text().size()) {
    const std::size_t end = output.text().find('\n', begin);
    ASSERT_EQ(output.text().substr(begin, 31),
              "03:04:05.678 info     abc  i=" + output.text().substr(begin + 29, 2));
    begin = end + 1;
    ++num_lines;
  }
  EXPECT_EQ(num_lines, 1000);
}

}  // namespace
}  // namespace cairn
