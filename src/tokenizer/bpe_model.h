// The merges of a byte-level BPE and the ids of one piece of text. Immutable after finish(); thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/live_merges.h"
#include "tokenizer/token_trie.h"

namespace cairn::tokenizer {

// Table from byte strings (owned elsewhere, alive as long as it) to ids.
class BytesTable {
 public:
  void reserve(std::size_t num_entries);
  bool add(std::string_view bytes, std::int32_t id);  // false when the string is there already
  std::int32_t find(std::string_view bytes) const;    // -1 when absent
  void prefetch(std::string_view bytes) const;        // fetches what add() and find() look at first
  // The same of many at once, which waits for memory less: ids (=), as many as `bytes`.
  void find_all(std::span<const std::string_view> bytes, std::span<std::int32_t> ids) const;
  bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    std::string_view bytes;
    std::int32_t id = -1;
  };
  // Small, so that most of them are in the processor's caches; the upper half of the hash tells nearly all others apart.
  struct Slot {
    std::uint32_t upper_hash = 0;
    std::int32_t entry = -1;  // -1: free
  };
  static std::uint32_t upper_half(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  // The slot of the string, or the free one where it would be.
  std::size_t slot_of(std::string_view bytes, std::uint64_t hash) const;
  std::int32_t find_hashed(std::string_view bytes, std::uint64_t hash) const;

  LargeVector<Slot> slots_ = {Slot{}};
  std::vector<Entry> entries_;
  std::size_t num_bytes_max_ = 0;  // of an entry
};

// Work space of encoding; reused so that a warm encoder does not allocate.
struct MergeBuffers {
  struct Symbol {
    std::int32_t id;
    std::int32_t previous;
    std::int32_t next;  // -1 at the ends; id -1 for a symbol that was merged away
  };
  struct Candidate {
    std::int32_t rank;
    std::int32_t position;
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
  std::vector<std::uint64_t> dead_ends;  // a bit for each place of the piece
};

class BpeModel {
 public:
  std::array<std::int32_t, 256> byte_ids{};  // -1 for bytes that no UTF-8 text has
  // Where files say "ignore_merges": tokens by their bytes that a whole piece becomes though merging would not make them.
  BytesTable pieces;

  // The next merge by rank. False when its pair has one already. REQUIRES that equal pairs make the same token.
  bool add_merge(const BpeMerge& merge);
  // After byte_ids and all merges. `bytes`: what each id stands for; borrowed for the call.
  void finish(std::span<const std::string_view> bytes);

  // Appends the ids of one piece. REQUIRES every byte to have an id, 1 to 2^31 - 1 bytes.
  void encode_piece(std::string_view piece, MergeBuffers& buffers, std::vector<std::int32_t>& ids) const;

  // After finish(): true when merging surely makes the token of its own bytes.
  bool is_made_by_merging(std::int32_t id) const {
    return live_.is_ordered() && live_.birth(id) != LiveMerges::kNever;
  }

  // True when pieces are encoded by matching (see bpe_model.cc), false when by merging.
  bool encodes_by_matching() const { return !shorter_.empty(); }

 private:
  void prepare_matching(std::span<const std::string_view> bytes);
  void encode_by_matching(std::string_view piece, MergeBuffers& buffers,
                          std::vector<std::int32_t>& ids) const;
  void encode_by_merging(std::string_view piece, MergeBuffers& buffers, std::vector<std::int32_t>& ids) const;
  void push_candidate(MergeBuffers& buffers, std::int32_t position) const;

  LiveMerges live_;
  TokenTrie trie_;
  // By id; empty when pieces are encoded by merging. The longest other token that each token starts with.
  std::vector<TokenTrie::Found> shorter_;
  std::vector<std::uint16_t> num_bytes_;
  std::vector<BpeMerge> merges_;  // by rank; after finish() empty when they are not
  PairTable ranks_;               // of the pairs of merges_, after finish()
  // Until finish(). By id: the rank of the last merge that makes it, -1 for none; by rank: that of the one before it.
  std::vector<std::int32_t> last_makers_;
  std::vector<std::int32_t> makers_before_;
};

}  // namespace cairn::tokenizer
