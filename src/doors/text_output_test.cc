#include "doors/text_output.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn {
namespace {

TEST(FileOutput, LogLinesReachTheFile) {
  SimFileSystem files(1);
  FileOutput output(std::move(files.append_to("log.jsonl")).value());
  JsonLinesSink sink(output);
  Logger logger([] { return std::int64_t{0}; });
  logger.add_sink(sink, LogLevel::kInfo);
  logger.info("hello", {{"step", 1}});
  ASSERT_TRUE(output.close().ok());
  EXPECT_EQ(
      files.read_text("log.jsonl").value(),
      "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"level\":\"info\",\"message\":\"hello\",\"step\":1}\n");
}

TEST(FileOutput, FirstFailureIsKept) {
  SimFileSystem files(1);
  FileOutput output(std::move(files.create("log")).value());
  files.set_free_bytes(0);
  output.write("lost");
  files.clear_faults();
  output.write("dropped");
  EXPECT_EQ(output.status().code(), StatusCode::kCannotWrite);
  EXPECT_EQ(output.close().code(), StatusCode::kCannotWrite);
  EXPECT_EQ(files.read_text("log").value(), "");
}

}  // namespace
}  // namespace cairn
