#include "base/text.h"

#include <limits>
#include <optional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

TEST(Text, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.00 KiB");
  EXPECT_EQ(format_bytes(1536LL << 20), "1.50 GiB");
  EXPECT_EQ(format_bytes((1LL << 30) - 1), "1.00 GiB");
  EXPECT_EQ(format_bytes(-2048), "-2.00 KiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::int64_t>::max()), "8.00 EiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::int64_t>::min()), "-8.00 EiB");
}

TEST(Text, Counts) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(-123456), "-123,456");
  EXPECT_EQ(format_count(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
  EXPECT_EQ(format_short_count(950), "950");
  EXPECT_EQ(format_short_count(8.05e9), "8.05 B");
  EXPECT_EQ(format_short_count(15e12), "15.0 T");
  EXPECT_EQ(format_short_count(999.6), "1.00 k");
  EXPECT_EQ(format_short_count(-1234), "-1.23 k");
  EXPECT_EQ(format_short_count(std::numeric_limits<double>::quiet_NaN()), "-");
}

TEST(Text, Durations) {
  EXPECT_EQ(format_duration(0.85), "850 ms");
  EXPECT_EQ(format_duration(12.34), "12.3 s");
  EXPECT_EQ(format_duration(59.97), "1 min 00 s");
  EXPECT_EQ(format_duration(245), "4 min 05 s");
  EXPECT_EQ(format_duration(3599.9), "1 h 00 min");
  EXPECT_EQ(format_duration(7380), "2 h 03 min");
  EXPECT_EQ(format_duration(86400 * 3 + 4 * 3600), "3 d 4 h");
  EXPECT_EQ(format_duration(-1), "-");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "-");
}

TEST(Text, Times) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_time(951'782'400'000'001'000), "2000-02-29T00:00:00.000001Z");
  EXPECT_EQ(format_time(1'767'323'045'678'901'000), "2026-01-02T03:04:05.678901Z");
  EXPECT_EQ(format_time(-1'000), "1969-12-31T23:59:59.999999Z");
}

TEST(Utf8, EveryScalarValueRoundTrips) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) {
      continue;
    }
    std::string text;
    append_utf8(text, c);
    const Utf8CodePoint decoded = decode_utf8(text, 0);
    ASSERT_TRUE(decoded.is_valid) << static_cast<unsigned>(c);
    ASSERT_EQ(decoded.code_point, c);
    ASSERT_EQ(static_cast<std::size_t>(decoded.length), text.size());
  }
}

// Counts valid sequences of each length over all leads: exactly the scalar values, nothing overlong.
TEST(Utf8, NothingElseIsValid) {
  std::int64_t num_valid = 0;
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      for (unsigned c : {0x00U, 0x7FU, 0x80U, 0xBFU, 0xC0U, 0xFFU}) {
        const std::string text = {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
        const Utf8CodePoint decoded = decode_utf8(text, 0);
        if (decoded.is_valid && decoded.length == 3) {
          ASSERT_TRUE(decoded.code_point >= 0x800 && decoded.code_point <= 0xFFFF);
          ASSERT_FALSE(decoded.code_point >= 0xD800 && decoded.code_point <= 0xDFFF);
          ++num_valid;
        }
      }
    }
  }
  // Leads E0 (second A0..BF), ED (80..9F) and 14 others (80..BF), each with two of the sampled third bytes.
  EXPECT_EQ(num_valid, (32 + 32 + 14 * 64) * 2);
}

TEST(Utf8, WrongBytesAreReplacedByMaximalParts) {
  // The examples of the Unicode standard, chapter 3, table 3-8.
  const std::string text = "\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64";
  EXPECT_EQ(replace_invalid_utf8(text),
            "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            "b\xEF\xBF\xBD"
            "c\xEF\xBF\xBD\xEF\xBF\xBD"
            "d");
  EXPECT_EQ(find_invalid_utf8(text), 1U);
  EXPECT_FALSE(is_valid_utf8("\xC0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xF4\x90\x80\x80"));
  EXPECT_FALSE(is_valid_utf8("ab\xE2\x82"));
  EXPECT_TRUE(
      is_valid_utf8("gr\xC3\xBC\xC3\x9F"
                    "e \xE2\x82\xAC \xF0\x9F\x98\x80"));
}

TEST(Utf8, DecodingAlwaysAdvancesWithinTheText) {
  constexpr std::uint64_t kSeed = 5;
  RandomStream random(random_key(kSeed, "utf8"), 0);
  for (int trial = 0; trial < 2000; ++trial) {
    std::string text(1 + random.next_below(12), '\0');
    for (char& c : text) {
      c = static_cast<char>(random.next_uint32() | (random.next_below(4) != 0 ? 0x80U : 0U));
    }
    std::size_t offset = 0;
    while (offset < text.size()) {
      const Utf8CodePoint next = decode_utf8(text, offset);
      ASSERT_GE(next.length, 1);
      offset += static_cast<std::size_t>(next.length);
      ASSERT_LE(offset, text.size()) << "seed " << kSeed;
    }
    ASSERT_TRUE(is_valid_utf8(replace_invalid_utf8(text)));
  }
}

TEST(Text, Positions) {
  EXPECT_EQ(text_position("ab\ncd", 0).line, 1);
  EXPECT_EQ(text_position("ab\ncd", 4).line, 2);
  EXPECT_EQ(text_position("ab\ncd", 4).column, 2);
  EXPECT_EQ(text_position("ab\ncd", 99).column, 3);
}

TEST(Text, SplitTrimAndNumbers) {
  EXPECT_EQ(split("a,,b", ',').size(), 3U);
  EXPECT_EQ(split("", ',').size(), 1U);
  EXPECT_EQ(trim(" \t x y\r\n"), "x y");
  EXPECT_EQ(trim("  "), "");
  EXPECT_EQ(parse_int64("-42"), -42);
  EXPECT_FALSE(parse_int64("42 ").has_value());
  EXPECT_FALSE(parse_int64("").has_value());
  EXPECT_FALSE(parse_int64("9223372036854775808").has_value());
  EXPECT_EQ(parse_double("1e-3"), 1e-3);
  EXPECT_FALSE(parse_double("1.0x").has_value());
}

// Eight bytes at a time is as good as one character at a time.
TEST(Text, TheFirstInvalidByteIsFoundInAnyMixture) {
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    const std::size_t size = random() % 60;
    while (text.size() < size) {
      switch (random() % 6) {
        case 0:
          text += static_cast<char>(random());
          break;
        case 1:
          append_utf8(text, static_cast<char32_t>(0x80 + random() % 0x700));
          break;
        case 2:
          append_utf8(text, static_cast<char32_t>(0x800 + random() % 0xD000));
          break;
        case 3:
          append_utf8(text, static_cast<char32_t>(0x10000 + random() % 0x1000));
          break;
        default:
          text.append(random() % 12, static_cast<char>('a' + random() % 26));
      }
    }
    std::optional<std::size_t> expected;
    for (std::size_t at = 0; at < text.size() && !expected;) {
      const Utf8CodePoint c = decode_utf8(text, at);
      expected = c.is_valid ? std::nullopt : std::optional(at);
      at += static_cast<std::size_t>(c.length);
    }
    ASSERT_EQ(find_invalid_utf8(text), expected) << "text " << i;
  }
}

}  // namespace
}  // namespace cairn
