// Sets of Unicode code points as regular expressions name them, from the Unicode 16 tables of this folder.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace cairn::tokenizer {

inline constexpr char32_t kCodePointMax = 0x10FFFF;

struct CodePointRange {
  char32_t first = 0;
  char32_t last = 0;
  bool operator==(const CodePointRange&) const = default;
  bool operator<(const CodePointRange& other) const {
    return first != other.first ? first < other.first : last < other.last;
  }
};

class CodePointSet {
 public:
  CodePointSet() = default;
  CodePointSet(std::initializer_list<CodePointRange> ranges);

  // REQUIRES first <= last <= kCodePointMax.
  void add(char32_t first, char32_t last);
  void add(const CodePointSet& other);
  // All other code points.
  CodePointSet complement() const;

  bool empty() const { return ranges_.empty(); }
  bool contains(char32_t code_point) const;
  bool is_one_character() const { return ranges_.size() == 1 && ranges_[0].first == ranges_[0].last; }
  // Ascending; no two of them touch.
  std::span<const CodePointRange> ranges() const { return ranges_; }
  bool operator==(const CodePointSet&) const = default;
  bool operator<(const CodePointSet& other) const { return ranges_ < other.ranges_; }  // any order, for maps

 private:
  std::vector<CodePointRange> ranges_;
};

// The code points of a general category by its short name: "Lu", or "L" for all whose names begin so. None when there is
// no such category, and for C and its parts, which differ from one Unicode version to the next.
std::optional<CodePointSet> category_set(std::string_view name);
// White_Space: \s.
CodePointSet space_set();
// Letters, marks, Nd, Nl, Pc and the circled and squared letters: \w inside brackets.
CodePointSet word_set();
// N as the reference's step Digits has it, in Unicode 17 where its patterns have 16.
CodePointSet numeral_set();

namespace unicode_table {

extern const std::array<std::string_view, 30> kCategoryNames;
extern const std::array<std::uint32_t, 4099> kCategoryRuns;

}  // namespace unicode_table
}  // namespace cairn::tokenizer
