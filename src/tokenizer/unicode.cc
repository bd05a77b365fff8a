#include "tokenizer/unicode.h"

#include <algorithm>
#include <span>
#include <vector>

#include "base/text.h"
#include "tokenizer/text_scan.h"

namespace cairn::tokenizer {
namespace {

using unicode_table::CombiningRun;
using unicode_table::Triple;

// Hangul syllables compose and decompose by arithmetic (Unicode 3.12).
constexpr std::uint32_t kSyllableBase = 0xAC00;
constexpr std::uint32_t kLeadBase = 0x1100;
constexpr std::uint32_t kVowelBase = 0x1161;
constexpr std::uint32_t kTrailBase = 0x11A7;
constexpr std::uint32_t kNumLeads = 19;
constexpr std::uint32_t kNumVowels = 21;
constexpr std::uint32_t kNumTrails = 28;
constexpr std::uint32_t kNumSyllables = kNumLeads * kNumVowels * kNumTrails;

struct Mark {
  std::uint32_t code_point;
  std::uint32_t combining_class;
};

std::uint32_t combining_class(std::uint32_t code_point) {
  const std::span runs(unicode_table::kCombiningRuns, unicode_table::kNumCombiningRuns);
  const auto run = std::partition_point(runs.begin(), runs.end(),
                                        [&](const CombiningRun& r) { return r.last < code_point; });
  return run != runs.end() && run->first <= code_point ? run->combining_class : 0;
}

// Appends the full canonical decomposition. Recursion is as deep as Unicode's chains: at most 4.
void decompose(std::uint32_t code_point, std::vector<Mark>& out) {
  if (code_point - kSyllableBase < kNumSyllables) {
    const std::uint32_t syllable = code_point - kSyllableBase;
    out.push_back({kLeadBase + syllable / (kNumVowels * kNumTrails), 0});
    out.push_back({kVowelBase + syllable / kNumTrails % kNumVowels, 0});
    if (syllable % kNumTrails != 0) {
      out.push_back({kTrailBase + syllable % kNumTrails, 0});
    }
    return;
  }
  const std::span rows(unicode_table::kDecompositions, unicode_table::kNumDecompositions);
  const auto row =
      std::partition_point(rows.begin(), rows.end(), [&](const Triple& r) { return r.a < code_point; });
  if (row == rows.end() || row->a != code_point) {
    out.push_back({code_point, combining_class(code_point)});
    return;
  }
  decompose(row->b, out);
  if (row->c != 0) {
    decompose(row->c, out);
  }
}

// The composition of a pair, or 0.
std::uint32_t compose(std::uint32_t first, std::uint32_t second) {
  if (first - kLeadBase < kNumLeads && second - kVowelBase < kNumVowels) {
    return kSyllableBase + ((first - kLeadBase) * kNumVowels + (second - kVowelBase)) * kNumTrails;
  }
  if (first - kSyllableBase < kNumSyllables && (first - kSyllableBase) % kNumTrails == 0 &&
      second - kTrailBase - 1 < kNumTrails - 1) {
    return first + (second - kTrailBase);
  }
  const std::span rows(unicode_table::kCompositions, unicode_table::kNumCompositions);
  const auto row = std::partition_point(
      rows.begin(), rows.end(), [&](const Triple& r) { return r.a != first ? r.a < first : r.b < second; });
  return row != rows.end() && row->a == first && row->b == second ? row->c : 0;
}

// Sorts each run of marks by combining class, keeping the order of equals.
void reorder(std::vector<Mark>& marks) {
  const auto is_starter = [](const Mark& m) { return m.combining_class == 0; };
  auto begin = marks.begin();
  while (begin != marks.end()) {
    begin = std::find_if_not(begin, marks.end(), is_starter);
    const auto end = std::find_if(begin, marks.end(), is_starter);
    std::stable_sort(begin, end,
                     [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; });
    begin = end;
  }
}

// Composes in place (Unicode 3.11, D117): a character joins the last starter unless something between them
// has the same or a higher class, or is a starter.
void compose_all(std::vector<Mark>& marks) {
  std::size_t size = 0;
  std::size_t starter = 0;
  bool has_starter = false;
  for (const Mark mark : marks) {
    const bool is_adjacent = has_starter && size == starter + 1;
    const bool is_blocked =
        !is_adjacent && has_starter && (marks[size - 1].combining_class >= mark.combining_class);
    if (has_starter && !is_blocked) {
      const std::uint32_t composed = compose(marks[starter].code_point, mark.code_point);
      if (composed != 0) {
        marks[starter].code_point = composed;
        continue;
      }
    }
    if (mark.combining_class == 0) {
      starter = size;
      has_starter = true;
    }
    marks[size++] = mark;
  }
  marks.resize(size);
}

}  // namespace

bool is_surely_nfc(std::string_view text) {
  for (std::size_t at = skip_ascii(text, 0); at < text.size(); at = skip_ascii(text, at)) {
    const ScannedCharacter c = scan_character(text, at);
    if ((code_point_flags(c.code_point) & kInert) == 0) {
      return false;
    }
    at = c.end;
  }
  return true;
}

std::string normalize_nfc(std::string_view text) {
  if (is_surely_nfc(text)) {
    return std::string(text);
  }
  std::vector<Mark> marks;
  marks.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8CodePoint c = decode_utf8(text, at);
    decompose(static_cast<std::uint32_t>(c.code_point), marks);
    at += static_cast<std::size_t>(c.length);
  }
  reorder(marks);
  compose_all(marks);
  std::string out;
  out.reserve(text.size());
  for (const Mark& mark : marks) {
    append_utf8(out, static_cast<char32_t>(mark.code_point));
  }
  return out;
}

}  // namespace cairn::tokenizer
