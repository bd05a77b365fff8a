#include "tokenizer/word_table.h"

#include <algorithm>

#include "base/check.h"

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kSlotsMin = 1024;
constexpr std::uint64_t kLowHalf = 0xFFFFFFFF;

}  // namespace

void WordTable::add(std::string_view word, std::uint64_t hash, std::int64_t count) {
  if (entries_.size() * 8 >= slots_.size() * 5) {
    grow();
  }
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    if (((slots_[at] ^ hash) & ~kLowHalf) != 0) {
      continue;
    }
    Entry& entry = entries_[(slots_[at] & kLowHalf) - 1];
    if (entry.hash == hash && std::string_view(bytes_.data() + entry.begin, entry.size) == word) {
      entry.count += count;
      return;
    }
  }
  CHECK(entries_.size() < kLowHalf, "a table of words holds less than 2^32");
  slots_[at] = (hash & ~kLowHalf) | (entries_.size() + 1);
  entries_.push_back({hash, count, bytes_.size(), static_cast<std::uint32_t>(word.size())});
  bytes_.insert(bytes_.end(), word.begin(), word.end());
}

void WordTable::grow() {
  slots_.assign(std::max(kSlotsMin, slots_.size() * 2), 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t at = entries_[i].hash & mask;
    while (slots_[at] != 0) {
      at = (at + 1) & mask;
    }
    slots_[at] = (entries_[i].hash & ~kLowHalf) | (i + 1);
  }
}

std::size_t WordTable::memory_bytes() const {
  return slots_.capacity() * sizeof(Slot) + entries_.capacity() * sizeof(Entry) + bytes_.capacity();
}

void WordTable::clear() {
  std::fill(slots_.begin(), slots_.end(), 0);
  entries_.clear();
  bytes_.clear();
}

}  // namespace cairn::tokenizer
