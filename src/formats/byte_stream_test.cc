#include "formats/byte_stream.h"

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn {
namespace {

std::string text_of(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) {
    text += static_cast<char>(byte);
  }
  return text;
}

// printf hello | gzip -n; printf 'hello hello hello\n' | zstd -19 --check.
const std::string kGzip = text_of({0x1f, 0x8b, 8, 0, 0,    0,    0,    0,    0, 3, 0xcb, 0x48, 0xcd,
                                   0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0,    0});
const std::string kZstd =
    text_of({0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x68, 0x6d, 0x00, 0x00, 0x38, 0x68, 0x65, 0x6c,
             0x6c, 0x6f, 0x20, 0x0a, 0x01, 0x00, 0x31, 0x4a, 0x11, 0xa3, 0xaa, 0x74, 0xce});

Result<std::string> read_all(const std::string& path, const std::string& content, std::size_t part_bytes) {
  SimFileSystem files(1);
  CHECK(files.replace_text(path, content).ok(), "not written");
  TRY_ASSIGN(ByteStream stream, ByteStream::open(files, path));
  std::string text;
  while (true) {
    std::string part(part_bytes, '\0');
    TRY_ASSIGN(const std::size_t count, stream.read(std::as_writable_bytes(std::span(part))));
    text += part.substr(0, count);
    if (count < part_bytes) {
      CHECK(stream.offset() == static_cast<std::int64_t>(text.size()), "another offset");
      return text;
    }
  }
}

void expect_text(const std::string& path, const std::string& content, const std::string& text) {
  for (const std::size_t part_bytes : {std::size_t{1}, std::size_t{3}, std::size_t{1000}}) {
    const Result<std::string> read = read_all(path, content, part_bytes);
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(*read, text);
  }
}

// Every cut and every flipped bit: an error that names the file, or (in parts that no checksum covers) the same text.
void expect_damage_noticed(const std::string& path, const std::string& content, const std::string& text) {
  for (std::size_t size = 0; size < content.size(); ++size) {
    const Result<std::string> read = read_all(path, content.substr(0, size), 1000);
    ASSERT_EQ(read.status().code(), StatusCode::kBadData) << size;
    EXPECT_TRUE(read.status().message().starts_with(path) &&
                read.status().message().find("byte") != std::string::npos)
        << read.status().message();
  }
  for (std::size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string damaged = content;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const Result<std::string> read = read_all(path, damaged, 1000);
    EXPECT_TRUE(read.ok() ? *read == text : read.status().code() == StatusCode::kBadData) << bit;
  }
  EXPECT_FALSE(read_all(path, content + "x", 1000).ok());
}

TEST(ByteStream, PlainFilesAreTheirBytes) {
  expect_text("a.txt", "hello", "hello");
  expect_text("a.txt", "", "");
}

TEST(ByteStream, SkipsLikeReading) {
  SimFileSystem files(1);
  ASSERT_TRUE(files.replace_text("a", "0123456789").ok());
  ByteStream stream = std::move(ByteStream::open(files, "a")).value();
  ASSERT_TRUE(stream.skip(7).ok());
  std::string part(10, '\0');
  EXPECT_EQ(stream.read(std::as_writable_bytes(std::span(part))).value(), 3U);
  EXPECT_EQ(part.substr(0, 3), "789");
  EXPECT_EQ(stream.offset(), 10);
  EXPECT_EQ(stream.skip(1).code(), StatusCode::kBadData);
}

TEST(ByteStream, GzipMembersFollowOneAnother) {
  if (!make_decompressor(Compression::kGzip).ok()) {
    GTEST_SKIP() << "built without zlib";
  }
  expect_text("a.gz", kGzip, "hello");
  expect_text("a.gz", kGzip + kGzip + kGzip, "hellohellohello");
  expect_damage_noticed("a.gz", kGzip, "hello");
}

TEST(ByteStream, ZstdFramesFollowOneAnother) {
  if (!make_decompressor(Compression::kZstd).ok()) {
    GTEST_SKIP() << "built without Zstandard";
  }
  const std::string text = "hello hello hello\n";
  expect_text("a.zst", kZstd, text);
  expect_text("a.zst", kZstd + kZstd, text + text);
  expect_damage_noticed("a.zst", kZstd, text);
  SimFileSystem files(1);
  ASSERT_TRUE(files.replace_text("a.zst", kZstd + kZstd).ok());
  ByteStream stream = std::move(ByteStream::open(files, "a.zst")).value();
  ASSERT_TRUE(stream.skip(20).ok());
  std::string part(3, '\0');
  EXPECT_EQ(stream.read(std::as_writable_bytes(std::span(part))).value(), 3U);
  EXPECT_EQ(part, "llo");
}

}  // namespace
}  // namespace cairn
