#include "tokenizer/live_merges.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kMergesAhead = 8;  // whose tables are on their way from memory

}  // namespace

void PairTable::reserve(std::size_t num_pairs) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(2, num_pairs * 2));
  slots_.assign(size, kEmpty);
  mask_ = size - 1;
  shift_ = 64 - std::countr_zero(size);
}

bool PairTable::add(std::int32_t left, std::int32_t right, std::int32_t value) {
  DCHECK(left < kTokenIdEnd && right < kTokenIdEnd && value < kTokenIdEnd, "beyond the table's range");
  const std::uint64_t key = pair_key(left, right);
  std::size_t slot = mix(key) >> shift_;
  for (; slots_[slot] != kEmpty; slot = (slot + 1) & mask_) {
    if (slots_[slot] >> kNumberBits == key) {
      return false;
    }
  }
  slots_[slot] = key << kNumberBits | static_cast<std::uint64_t>(value);
  return true;
}

bool LiveMerges::fits_step_by_step(std::int32_t left, std::int32_t right) const {
  std::int32_t limit = kNever;  // merges from this rank on are too late: one of the two is no more
  do {
    const Token& l = tokens_[static_cast<std::size_t>(left)];
    const Token& r = tokens_[static_cast<std::size_t>(right)];
    if ((l.followers & filter_bit(right)) != 0 && (r.leaders & filter_bit(left)) != 0) {
      const std::int32_t merged = pairs_.find(left, right);
      if (merged >= 0 && birth(merged) < limit) {
        return false;
      }
    }
    // Back to before the later of the two births. Of equal pairs the left one is merged first, so a pair across
    // the boundary comes before the same pair on its right, and after the same on its left.
    if (l.birth > r.birth) {
      limit = l.birth;
      left = l.right;
    } else if (r.birth >= 0) {
      limit = r.birth + 1;
      right = r.left;
    } else {
      return true;
    }
  } while (edges_may_merge(left, right));
  return true;
}

void LiveMerges::build(std::span<const BpeMerge> merges, std::span<const std::int32_t> byte_ids,
                       std::size_t num_tokens) {
  tokens_.assign(num_tokens, {});
  pairs_.reserve(std::min(merges.size(), num_tokens));
  for (const std::int32_t id : byte_ids) {
    if (id >= 0) {
      tokens_[static_cast<std::size_t>(id)].birth = kByte;
    }
  }
  std::vector<BpeMerge> early;  // met before their parts were born
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    if (rank + kMergesAhead < merges.size()) {
      const BpeMerge& ahead = merges[rank + kMergesAhead];
      __builtin_prefetch(&tokens_[static_cast<std::size_t>(ahead.left)]);
      __builtin_prefetch(&tokens_[static_cast<std::size_t>(ahead.right)]);
      pairs_.prefetch(ahead.left, ahead.right);
    }
    const BpeMerge& merge = merges[rank];
    if (birth(merge.id) != kNever) {
      continue;
    }
    if (birth(merge.left) == kNever || birth(merge.right) == kNever) {
      early.push_back(merge);
    } else if (fits(merge.left, merge.right)) {
      pairs_.add(merge.left, merge.right, merge.id);
      Token& token = tokens_[static_cast<std::size_t>(merge.id)];
      token.birth = static_cast<std::int32_t>(rank);
      token.left = merge.left;
      token.right = merge.right;
      tokens_[static_cast<std::size_t>(merge.left)].followers |= filter_bit(merge.right);
      tokens_[static_cast<std::size_t>(merge.right)].leaders |= filter_bit(merge.left);
    }
  }
  for (const std::int32_t id : byte_ids) {
    if (id >= 0) {
      set_edges(id);
    }
  }
  for (const BpeMerge& merge : merges) {
    set_edges(merge.id);
  }
  // An early merge of a token that is born by another one never happens: its two parts would have to stand side by
  // side in the token's own bytes, and there the other merge was made. If it is not born, they may.
  is_ordered_ = std::ranges::none_of(early, [&](const BpeMerge& merge) {
    return birth(merge.id) == kNever && birth(merge.left) != kNever && birth(merge.right) != kNever;
  });
}

// REQUIRES all followers and leaders, and the edges of the parts.
void LiveMerges::set_edges(std::int32_t id) {
  Token& token = tokens_[static_cast<std::size_t>(id)];
  token.right_edge = token.left_edge = filter_bit(id);
  token.right_edge_followers = token.followers;
  token.left_edge_leaders = token.leaders;
  if (token.left >= 0) {
    const Token& right = tokens_[static_cast<std::size_t>(token.right)];
    token.right_edge |= right.right_edge;
    token.right_edge_followers |= right.right_edge_followers;
    const Token& left = tokens_[static_cast<std::size_t>(token.left)];
    token.left_edge |= left.left_edge;
    token.left_edge_leaders |= left.left_edge_leaders;
  }
}

}  // namespace cairn::tokenizer
