// Which merges of a byte-level BPE can ever happen, and whether two tokens can stand side by side.
//
// Merging takes the pair of lowest rank first. What happens inside a stretch of text that ends up as one token z
// happens in the same order when the bytes of z stand alone; so a merge (x, y) -> z happens somewhere only if it is
// the last one when the bytes of z are merged alone, and each token has at most one such "live" merge. Its rank
// is the token's birth. Where every live merge is of tokens that were born before it ("ordered", as every trained
// tokenizer is), a sequence of tokens is what merging makes of its bytes exactly if each two neighbours t, u are what
// merging makes of the bytes of t and u alone: the first merge across a boundary needs to see only these two.
// Immutable after build; thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "device/large_array.h"

namespace cairn::tokenizer {

// Ids at and above this are refused: they would make an embedding table of no use, and two ids and a merge's
// result fit in 64 bits below it.
inline constexpr std::int64_t kTokenIdEnd = std::int64_t{1} << 21;

// The pair (left, right) becomes `id`.
struct BpeMerge {
  std::int32_t left = -1;
  std::int32_t right = -1;
  std::int32_t id = -1;
};

// Open-addressing table from a pair of ids to a number in the range of ids.
class PairTable {
 public:
  void reserve(std::size_t num_pairs);
  // False when the pair is there already. REQUIRES reserved room, numbers from 0 to kTokenIdEnd - 1.
  bool add(std::int32_t left, std::int32_t right, std::int32_t value);
  // Fetches what add() and find() will look at.
  void prefetch(std::int32_t left, std::int32_t right) const {
    __builtin_prefetch(&slots_[mix(pair_key(left, right)) >> shift_]);
  }
  // -1 when absent.
  std::int32_t find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = pair_key(left, right);
    for (std::size_t slot = mix(key) >> shift_;; slot = (slot + 1) & mask_) {
      if (slots_[slot] >> kNumberBits == key) {
        return static_cast<std::int32_t>(slots_[slot] & kNumberMask);
      }
      if (slots_[slot] == kEmpty) {
        return -1;
      }
    }
  }

 private:
  static constexpr int kNumberBits = 21;
  static_assert(kTokenIdEnd == std::int64_t{1} << kNumberBits);
  static constexpr std::uint64_t kNumberMask = (std::uint64_t{1} << kNumberBits) - 1;
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  static std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << kNumberBits | static_cast<std::uint64_t>(right);
  }
  static std::uint64_t mix(std::uint64_t key) { return (key ^ key >> 23) * 0x9E3779B97F4A7C15U; }

  LargeVector<std::uint64_t> slots_ = {kEmpty, kEmpty};
  std::size_t mask_ = 1;
  int shift_ = 63;
};

class LiveMerges {
 public:
  static constexpr std::int32_t kByte = -1;  // the birth of a single byte
  static constexpr std::int32_t kNever = std::numeric_limits<std::int32_t>::max();

  // `merges` by rank, lowest first; all ids below num_tokens. `byte_ids`: the tokens of single bytes, -1 for none.
  void build(std::span<const BpeMerge> merges, std::span<const std::int32_t> byte_ids,
             std::size_t num_tokens);

  // False when some merge may happen before its parts are born: then births and fits() mean nothing.
  bool is_ordered() const { return is_ordered_; }
  // Rank of the merge that makes the token, kByte or kNever.
  std::int32_t birth(std::int32_t id) const { return tokens_[static_cast<std::size_t>(id)].birth; }
  // True when merging the bytes of the two leaves them as they are. REQUIRES both born.
  bool fits(std::int32_t left, std::int32_t right) const {
    return !edges_may_merge(left, right) || fits_step_by_step(left, right);
  }

 private:
  struct alignas(64) Token {
    std::int32_t birth = kNever;
    std::int32_t left = -1;
    std::int32_t right = -1;
    // A bit for each token that merges with this one on its right, and on its left; others may share the bit. Nearly all
    // pairs that are asked for do not merge, and these are at hand, while a place in the table is not.
    std::uint64_t followers = 0;
    std::uint64_t leaders = 0;
    // The same for all tokens that a neighbour can meet: on the right edge are the token, its right part, the right part of
    // that, and so on; on the left edge, the left parts. Of most neighbours these say at once that they fit. All bits, which
    // say nothing, until all merges are known.
    std::uint64_t right_edge = ~std::uint64_t{0};
    std::uint64_t right_edge_followers = ~std::uint64_t{0};
    std::uint64_t left_edge = ~std::uint64_t{0};
    std::uint64_t left_edge_leaders = ~std::uint64_t{0};
  };
  static std::uint64_t filter_bit(std::int32_t id) {
    return std::uint64_t{1} << (static_cast<std::uint32_t>(id) * 0x9E3779B9U >> 26);
  }

  // False when surely nothing on the one's right edge merges with anything on the other's left edge.
  bool edges_may_merge(std::int32_t left, std::int32_t right) const {
    const Token& l = tokens_[static_cast<std::size_t>(left)];
    const Token& r = tokens_[static_cast<std::size_t>(right)];
    return (l.right_edge_followers & r.left_edge) != 0 && (l.right_edge & r.left_edge_leaders) != 0;
  }
  void set_edges(std::int32_t id);
  bool fits_step_by_step(std::int32_t left, std::int32_t right) const;

  LargeVector<Token> tokens_;
  PairTable pairs_;
  bool is_ordered_ = true;
};

}  // namespace cairn::tokenizer
