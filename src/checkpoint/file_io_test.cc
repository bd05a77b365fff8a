#include "checkpoint/file_io.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doors/sim_file_system.h"
#include "tests/checkpoint/checkpoint_fixture.h"

namespace cairn::checkpoint {
namespace {

TEST(DurableDirectories, SurviveACrashAtAnyDepth) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimFileSystem files(seed);
    ASSERT_TRUE(make_durable_directories(files, "/a/b/c").ok());
    files.crash();
    EXPECT_TRUE(files.is_directory("/a/b/c")) << "seed " << seed;
  }
}

TEST(DurableFile, IsHashedInChunksAndReadBack) {
  SimFileSystem files(1);
  std::string text(static_cast<std::size_t>(2 * kIoChunkBytes + 77), 'x');
  for (std::size_t i = 0; i < text.size(); i += 1000) {
    text[i] = static_cast<char>('a' + i % 23);
  }
  const auto written = write_durable_file(files, "/file", Hasher(),
                                          [&](WritableFile& file) { return append_text(file, text); });
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->num_bytes, static_cast<std::int64_t>(text.size()));
  EXPECT_EQ(written->hash, xxh3_128(text));
  files.crash();  // contents were synced, the entries of the root not
  testing::write_text(files, "/again", text);
  const auto hashed = hash_file(files, "/again", Hasher());
  ASSERT_TRUE(hashed.ok());
  EXPECT_EQ(hashed->hash, written->hash);
  EXPECT_EQ(*read_small_file(files, "/again"), text);
  const auto taken = write_durable_file(files, "/again", Hasher(),
                                        [&](WritableFile& file) { return append_text(file, "y"); });
  EXPECT_EQ(taken.status().code(), StatusCode::kCannotWrite);
  EXPECT_EQ(read_small_file(files, "/nowhere").status().code(), StatusCode::kNoInput);
}

TEST(Naming, AddsThePathOnce) {
  const Status status = naming(io_error("failed"), "/a/b");
  EXPECT_EQ(status.message(), "/a/b: failed");
  EXPECT_EQ(naming(status, "/a/b").message(), "/a/b: failed");
  EXPECT_TRUE(naming(ok_status(), "/a/b").ok());
}

}  // namespace
}  // namespace cairn::checkpoint
