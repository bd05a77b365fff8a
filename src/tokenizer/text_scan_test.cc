#include "tokenizer/text_scan.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"

namespace cairn::tokenizer {
namespace {

TEST(TextScan, ReadsEveryCodePointAsTheCheckedDecoderDoes) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) {
      continue;  // surrogates are no characters
    }
    std::string text;
    append_utf8(text, c);
    const ScannedCharacter scanned = scan_character(text, 0);
    ASSERT_EQ(scanned.code_point, c);
    ASSERT_EQ(scanned.end, text.size());
  }
}

TEST(TextScan, FindsBytesOfARange) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::uint64_t expected = byte >= 'b' && byte <= 'y' ? kTopBits : 0;
    EXPECT_EQ(bytes_between(eight_times(byte), 'b', 'y'), expected) << byte;
    EXPECT_EQ(bytes_between(eight_times(byte), 1, 0x7F), byte >= 1 && byte <= 0x7F ? kTopBits : 0) << byte;
  }
}

// Against a loop over single bytes, from every offset: the last bytes go another way than whole eights.
TEST(TextScan, SkipsAsciiFromAnyOffset) {
  RandomStream random(random_key(1, "text_scan_test"), 0);
  for (int round = 0; round < 300; ++round) {
    std::string text(random.next_below(40), 'a');
    for (char& c : text) {
      c = static_cast<char>(random.next_below(12) == 0 ? 0x80 + random.next_below(128)
                                                       : random.next_below(128));
    }
    for (std::size_t at = 0; at <= text.size(); ++at) {
      std::size_t expected = at;
      while (expected < text.size() && is_ascii(text[expected])) {
        ++expected;
      }
      ASSERT_EQ(skip_ascii(text, at), expected) << at;
    }
  }
}

}  // namespace
}  // namespace cairn::tokenizer
