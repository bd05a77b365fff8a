// The merges of a byte-level BPE and the ids of one piece of text. Immutable after build; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cairn::tokenizer {

// Open-addressing table from a pair of ids to a merge.
class MergeTable {
 public:
  struct Merge {
    std::int32_t rank = -1;  // -1: no such merge
    std::int32_t id = -1;    // what the pair becomes
  };

  void reserve(std::size_t num_merges);
  // False when the pair is there already. REQUIRES reserved room.
  bool add(std::int32_t left, std::int32_t right, Merge merge);
  Merge find(std::int32_t left, std::int32_t right) const;

 private:
  struct Slot {
    std::uint64_t key = ~std::uint64_t{0};
    Merge merge;
  };
  std::size_t slot_of(std::uint64_t key) const;
  std::vector<Slot> slots_;
};

// Table from byte strings (owned elsewhere, alive as long as it) to ids.
class BytesTable {
 public:
  void reserve(std::size_t num_entries);
  bool add(std::string_view bytes, std::int32_t id);  // false when the string is there already
  std::int32_t find(std::string_view bytes) const;    // -1 when absent

 private:
  struct Slot {
    std::string_view bytes;
    std::uint64_t hash = 0;
    std::int32_t id = -1;
  };
  std::vector<Slot> slots_;
};

// Work space of merging; reused so that a warm encoder does not allocate.
struct MergeBuffers {
  struct Symbol {
    std::int32_t id;
    std::int32_t previous;
    std::int32_t next;  // -1 at the ends; id -1 for a symbol that was merged away
  };
  struct Candidate {
    std::int32_t rank;
    std::int32_t position;
    std::int32_t id;
  };
  std::vector<std::int32_t> ids;
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

class BpeModel {
 public:
  std::array<std::int32_t, 256> byte_ids{};  // -1 for bytes that no UTF-8 text has
  MergeTable merges;
  BytesTable pieces;  // whole tokens by their bytes; consulted before merging when ignore_merges is set
  bool ignore_merges = false;

  // Appends the ids of one piece. REQUIRES every byte to have an id, fewer than 2^31 bytes.
  void encode_piece(std::string_view piece, MergeBuffers& buffers, std::vector<std::int32_t>& ids) const;

 private:
  void merge_short(MergeBuffers& buffers) const;  // by scanning: quick for the few bytes of a word
  void merge_long(MergeBuffers& buffers) const;   // by a heap: n log n for any input
  void push_candidate(MergeBuffers& buffers, std::int32_t position) const;
};

}  // namespace cairn::tokenizer
