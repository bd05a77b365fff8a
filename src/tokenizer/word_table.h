// Counts of words in little memory: an open-addressing table whose words lie side by side in one buffer.
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace cairn::tokenizer {

class WordTable {
 public:
  // Adds `count` to the word's count. `hash` is xxh3_64(word, 0). REQUIRES a word below 4 GiB.
  void add(std::string_view word, std::uint64_t hash, std::int64_t count);

  std::size_t size() const { return entries_.size(); }
  std::size_t word_bytes() const { return bytes_.size(); }  // of all words
  std::size_t memory_bytes() const;                         // what is allocated
  std::string_view word(std::size_t i) const { return {bytes_.data() + entries_[i].begin, entries_[i].size}; }
  std::uint64_t hash(std::size_t i) const { return entries_[i].hash; }
  std::int64_t count(std::size_t i) const { return entries_[i].count; }

  void clear();  // keeps its memory

 private:
  struct Entry {
    std::uint64_t hash;
    std::int64_t count;
    std::size_t begin;
    std::uint32_t size;
  };
  // 0, or the upper half of the hash and one more than the place of the entry.
  using Slot = std::uint64_t;

  void grow();

  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
  std::vector<char> bytes_;
};

}  // namespace cairn::tokenizer
