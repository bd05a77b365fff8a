// What tokenizers need of Unicode: classes of code points (Unicode 16, as the reference's patterns have it)
// and the normal form C (its normaliser's Unicode 9). The tables are made by generate_unicode_tables.py.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::tokenizer {

// Flags of a code point; the letters in brackets are general categories.
inline constexpr std::uint8_t kLetter = 1;      // L
inline constexpr std::uint8_t kNumber = 2;      // N
inline constexpr std::uint8_t kSpace = 4;       // property White_Space
inline constexpr std::uint8_t kUpperLike = 8;   // Lu Lt Lm Lo M
inline constexpr std::uint8_t kLowerLike = 16;  // Ll Lm Lo M
inline constexpr std::uint8_t kWord = 32;       // Alphabetic, M, Nd, Pc, join controls
inline constexpr std::uint8_t kInert = 64;      // normal form C never changes it nor what stands before it

namespace unicode_table {

struct CombiningRun {
  std::uint32_t first, last, combining_class;
};
struct Triple {
  std::uint32_t a, b, c;
};
inline constexpr std::uint32_t kBlockSize = 128;
inline constexpr std::uint32_t kClassEnd = 0x33000;
inline constexpr std::size_t kNumBlocks = 234;
using BlockFlags = std::array<std::uint8_t, kNumBlocks * kBlockSize>;
extern const BlockFlags kBlockFlags;
extern const std::uint8_t kBlockNumbers[kClassEnd / kBlockSize];
extern const std::uint8_t kPlainFlags;
extern const std::uint8_t kVariationSelectorFlags;
extern const CombiningRun kCombiningRuns[];
extern const std::size_t kNumCombiningRuns;
extern const Triple kDecompositions[];
extern const std::size_t kNumDecompositions;
extern const Triple kCompositions[];
extern const std::size_t kNumCompositions;

}  // namespace unicode_table

inline std::uint8_t code_point_flags(char32_t code_point) {
  if (code_point >= unicode_table::kClassEnd) [[unlikely]] {
    const bool is_selector = code_point >= 0xE0100 && code_point < 0xE01F0;
    return is_selector ? unicode_table::kVariationSelectorFlags : unicode_table::kPlainFlags;
  }
  const std::uint32_t block = unicode_table::kBlockNumbers[code_point / unicode_table::kBlockSize];
  return unicode_table::kBlockFlags[block * unicode_table::kBlockSize +
                                    code_point % unicode_table::kBlockSize];
}

// True when normalize_nfc would return the text as it is, by a test that may say false needlessly. REQUIRES valid UTF-8.
bool is_surely_nfc(std::string_view text);
// The normal form C. REQUIRES valid UTF-8.
std::string normalize_nfc(std::string_view text);

}  // namespace cairn::tokenizer
