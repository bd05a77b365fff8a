#include "tokenizer/code_point_set.h"

#include <algorithm>

namespace cairn::tokenizer {
namespace {

constexpr std::uint32_t kCategoryBits = 5;

// Adds the categories whose names begin with `prefix`; true when there is one.
bool add_categories(std::string_view prefix, CodePointSet& set) {
  std::uint32_t wanted = 0;
  for (std::size_t i = 0; i < unicode_table::kCategoryNames.size(); ++i) {
    wanted |= unicode_table::kCategoryNames[i].starts_with(prefix) ? std::uint32_t{1} << i : 0;
  }
  const auto& runs = unicode_table::kCategoryRuns;
  for (std::size_t i = 0; wanted != 0 && i < runs.size(); ++i) {
    const std::uint32_t category = runs[i] & ((1U << kCategoryBits) - 1);
    if ((wanted >> category & 1) != 0) {
      const std::uint32_t end = i + 1 < runs.size() ? runs[i + 1] >> kCategoryBits : kCodePointMax + 1;
      set.add(runs[i] >> kCategoryBits, end - 1);
    }
  }
  return wanted != 0;
}

}  // namespace

CodePointSet::CodePointSet(std::initializer_list<CodePointRange> ranges) {
  for (const CodePointRange& range : ranges) {
    add(range.first, range.last);
  }
}

void CodePointSet::add(char32_t first, char32_t last) {
  // The ranges that the new one touches or covers become one with it.
  const auto begin = std::partition_point(ranges_.begin(), ranges_.end(),
                                          [&](const CodePointRange& r) { return r.last + 1 < first; });
  const auto end = std::partition_point(begin, ranges_.end(),
                                        [&](const CodePointRange& r) { return r.first <= last + 1; });
  if (begin == end) {
    ranges_.insert(begin, {first, last});
    return;
  }
  *begin = {std::min(begin->first, first), std::max(std::prev(end)->last, last)};
  ranges_.erase(begin + 1, end);
}

void CodePointSet::add(const CodePointSet& other) {
  for (const CodePointRange& range : other.ranges_) {
    add(range.first, range.last);
  }
}

CodePointSet CodePointSet::complement() const {
  CodePointSet others;
  char32_t next = 0;
  for (const CodePointRange& range : ranges_) {
    if (range.first > next) {
      others.ranges_.push_back({next, range.first - 1});
    }
    next = range.last + 1;
  }
  if (next <= kCodePointMax) {
    others.ranges_.push_back({next, kCodePointMax});
  }
  return others;
}

bool CodePointSet::contains(char32_t code_point) const {
  const auto range = std::partition_point(ranges_.begin(), ranges_.end(),
                                          [&](const CodePointRange& r) { return r.last < code_point; });
  return range != ranges_.end() && range->first <= code_point;
}

std::optional<CodePointSet> category_set(std::string_view name) {
  CodePointSet set;
  if (name.empty() || name.front() == 'C' || !add_categories(name, set)) {
    return std::nullopt;
  }
  return set;
}

CodePointSet space_set() {
  return {{0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
          {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
}

CodePointSet word_set() {
  CodePointSet set = {{0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
  for (const std::string_view name : {"L", "M", "Nd", "Nl", "Pc"}) {
    add_categories(name, set);
  }
  return set;
}

CodePointSet numeral_set() {
  CodePointSet set = {{0x11DE0, 0x11DE9}, {0x16FF4, 0x16FF6}};
  add_categories("N", set);
  return set;
}

}  // namespace cairn::tokenizer
