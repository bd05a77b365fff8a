#include "formats/decompress.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Decompress, NamesSayWhatAFileIs) {
  EXPECT_EQ(compression_for("a.jsonl.gz"), Compression::kGzip);
  EXPECT_EQ(compression_for("a.txt.zst"), Compression::kZstd);
  EXPECT_EQ(compression_for("a.txt"), Compression::kNone);
  EXPECT_EQ(without_compression("b/a.jsonl.zst"), "b/a.jsonl");
  EXPECT_EQ(without_compression("a.gz"), "a");
  EXPECT_EQ(without_compression("a.parquet"), "a.parquet");
}

TEST(Decompress, WhatIsNotBuiltInIsRefusedByName) {
  for (const auto& [compression, package] :
       {std::pair(Compression::kGzip, "zlib1g-dev"), {Compression::kZstd, "libzstd-dev"}}) {
    const Status status = make_decompressor(compression).status();
    EXPECT_TRUE(status.ok() || status.message().find(package) != std::string::npos) << status.message();
  }
}

TEST(Decompress, GoesOnByteByByte) {
  if (!make_decompressor(Compression::kGzip).ok()) {
    GTEST_SKIP() << "built without zlib";
  }
  // printf hello | gzip -n, twice: two members.
  constexpr unsigned char kHello[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                      0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86,
                                      0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00};
  std::string text;
  const auto decompressor = std::move(make_decompressor(Compression::kGzip)).value();
  for (int member = 0; member < 2; ++member) {
    for (const unsigned char& c : kHello) {
      auto in = std::span(reinterpret_cast<const std::byte*>(&c), 1);
      while (true) {
        std::byte out{};
        const Decompressor::Step step = decompressor->step(in, std::span(&out, 1)).value();
        in = in.subspan(step.consumed);
        if (step.produced == 1) {
          text += static_cast<char>(out);
        }
        if (step.consumed == 0 && step.produced == 0) {
          break;
        }
      }
      EXPECT_EQ(decompressor->is_complete(), &c == std::end(kHello) - 1);
    }
  }
  EXPECT_EQ(text, "hellohello");
}

}  // namespace
}  // namespace cairn
