#include "tokenizer/character_kinds.h"

#include <algorithm>
#include <unordered_map>

#include "tokenizer/text_scan.h"

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kKindsMax = 256;

// Where one of the sets begins or ends.
struct Border {
  char32_t at;
  std::size_t set;
};

std::vector<Border> borders_of(std::span<const CodePointSet> sets) {
  std::vector<Border> borders = {{'\n', sets.size()}, {'\n' + 1, sets.size()}};  // one more set: the newline
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (const CodePointRange& range : sets[i].ranges()) {
      borders.push_back({range.first, i});
      borders.push_back({range.last + 1, i});
    }
  }
  std::sort(borders.begin(), borders.end(), [](const Border& a, const Border& b) { return a.at < b.at; });
  return borders;
}

}  // namespace

std::optional<CharacterKinds> CharacterKinds::create(std::span<const CodePointSet> sets) {
  CharacterKinds result;
  std::vector<std::uint8_t> kinds(kCodePointMax + 1);
  // Which sets the characters since the last border are in, and the kind of those that are in just these.
  std::string members((sets.size() + 1 + 7) / 8, '\0');
  std::unordered_map<std::string, std::uint8_t> known;
  std::size_t num_kinds = 0;
  const std::vector<Border> borders = borders_of(sets);
  char32_t begin = 0;
  for (std::size_t i = 0; begin <= kCodePointMax;) {
    for (; i < borders.size() && borders[i].at == begin; ++i) {
      members[borders[i].set / 8] =
          static_cast<char>(members[borders[i].set / 8] ^ (1 << borders[i].set % 8));
    }
    const char32_t end = i < borders.size() ? borders[i].at : kCodePointMax + 1;
    auto place = known.find(members);
    if (place == known.end()) {
      num_kinds += num_kinds == kNewline ? 1 : 0;
      const std::size_t kind = begin == '\n' ? kNewline : num_kinds++;
      if (kind >= kKindsMax) {
        return std::nullopt;
      }
      place = known.emplace(members, static_cast<std::uint8_t>(kind)).first;
      result.examples_.push_back({begin, place->second});
    }
    std::fill(kinds.begin() + static_cast<std::ptrdiff_t>(begin),
              kinds.begin() + static_cast<std::ptrdiff_t>(end), place->second);
    begin = end;
  }
  std::sort(result.examples_.begin(), result.examples_.end(),
            [](const Example& a, const Example& b) { return a.kind < b.kind; });
  result.store(kinds);
  return result;
}

void CharacterKinds::store(std::span<const std::uint8_t> kind_of_code_point) {
  std::unordered_map<std::string_view, std::uint32_t> known;
  for (std::size_t at = 0; at < kind_of_code_point.size(); at += kBlockSize) {
    const auto block = kind_of_code_point.subspan(at, kBlockSize);
    const std::string_view key(reinterpret_cast<const char*>(block.data()), block.size());
    const auto [place, is_new] = known.emplace(key, static_cast<std::uint32_t>(blocks_.size()));
    if (is_new) {
      blocks_.insert(blocks_.end(), block.begin(), block.end());
    }
    block_starts_.push_back(place->second);
  }
}

std::vector<std::uint8_t> CharacterKinds::kinds_in(const CodePointSet& set) const {
  std::vector<std::uint8_t> kinds;
  for (const Example& example : examples_) {
    if (set.contains(example.code_point)) {
      kinds.push_back(example.kind);
    }
  }
  return kinds;
}

void CharacterKinds::translate(std::string_view text, std::string& kinds) const {
  kinds.resize(text.size());
  const std::uint8_t* const ascii = blocks_.data() + block_starts_[0];
  std::size_t size = 0;
  for (std::size_t at = 0; at < text.size(); ++size) {
    if (is_ascii(text[at])) {
      kinds[size] = static_cast<char>(ascii[static_cast<unsigned char>(text[at++])]);
      continue;
    }
    const ScannedCharacter c = scan_character(text, at);
    kinds[size] = static_cast<char>(kind(c.code_point));
    at = c.end;
  }
  kinds.resize(size);
}

}  // namespace cairn::tokenizer
