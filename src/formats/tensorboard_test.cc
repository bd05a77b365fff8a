#include "formats/tensorboard.h"

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "doors/sim_file_system.h"

namespace cairn {
namespace {

template <class T>
T load(std::string_view bytes, std::size_t offset) {
  T value;
  EXPECT_LE(offset + sizeof value, bytes.size());
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// Cuts the file into records as a reader does, checking both sums of each.
std::vector<std::string> records(std::string_view file) {
  std::vector<std::string> events;
  std::size_t at = 0;
  while (at < file.size()) {
    const auto length = load<std::uint64_t>(file, at);
    EXPECT_EQ(load<std::uint32_t>(file, at + 8), masked_crc32c(file.substr(at, 8)));
    EXPECT_LE(at + 16 + length, file.size());
    events.emplace_back(file.substr(at + 12, length));
    EXPECT_EQ(load<std::uint32_t>(file, at + 12 + length), masked_crc32c(events.back()));
    at += 16 + length;
  }
  return events;
}

TEST(Tensorboard, MaskIsReversible) {
  const std::uint32_t masked = masked_crc32c("foo");
  const std::uint32_t rotated = masked - 0xA282EAD8U;
  const std::uint32_t plain = (rotated >> 17) | (rotated << 15);
  EXPECT_EQ(plain, 0xCFC4AE1DU);  // crc32c("foo")
}

TEST(Tensorboard, RecordsHaveTheBytesOfTheProtocol) {
  SimFileSystem files(1);
  auto writer =
      std::move(TensorboardWriter::create(std::move(files.create("e")).value(), 1'500'000'000)).value();
  writer.add_scalar("train/loss", 300, 2.5F, 2'500'000'000);
  ASSERT_TRUE(writer.close().ok());
  const std::vector<std::string> events = records(files.read_text("e").value());
  ASSERT_EQ(events.size(), 2U);
  // field 1, fixed64 1.5; field 3, "brain.Event:2"
  EXPECT_EQ(events[0], std::string("\x09\0\0\0\0\0\0\xF8\x3F\x1A\x0D", 11) + "brain.Event:2");
  // field 1 fixed64 2.5; field 2 varint 300; field 5 { field 1 { field 1 tag; field 2 fixed32 2.5 } }
  EXPECT_EQ(events[1], std::string("\x09\0\0\0\0\0\0\x04\x40\x10\xAC\x02\x2A\x13\x0A\x11\x0A\x0A", 18) +
                           "train/loss" + std::string("\x15\0\0\x20\x40", 5));
}

TEST(Tensorboard, BufferedScalarsReachTheFileWithFlush) {
  SimFileSystem files(1);
  auto writer = std::move(TensorboardWriter::create(std::move(files.create("e")).value(), 0)).value();
  const std::size_t before = files.read_text("e").value().size();
  for (int step = 0; step < 100; ++step) {
    writer.add_scalar(std::string(200, 't'), step, 1.0F, 0);  // lengths beyond one varint byte
  }
  EXPECT_EQ(files.read_text("e").value().size(), before);
  ASSERT_TRUE(writer.flush().ok());
  EXPECT_EQ(records(files.read_text("e").value()).size(), 101U);
  ASSERT_TRUE(writer.close().ok());
}

TEST(Tensorboard, FullDiskIsReported) {
  SimFileSystem files(1);
  auto file = std::move(files.create("e")).value();
  files.set_free_bytes(10);
  EXPECT_EQ(TensorboardWriter::create(std::move(file), 0).status().code(), StatusCode::kCannotWrite);
}

TEST(Tensorboard, FileNamesAreFound) {
  EXPECT_EQ(tensorboard_file_name(1'767'323'045'678'901'000, "node7", 42),
            "events.out.tfevents.1767323045.node7.42");
}

}  // namespace
}  // namespace cairn
