#include "tokenizer/live_merges.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace cairn::tokenizer {

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
  // An early merge of a token that is born by another one never happens: its two parts would have to stand side by
  // side in the token's own bytes, and there the other merge was made. If it is not born, they may.
  is_ordered_ = std::ranges::none_of(early, [&](const BpeMerge& merge) {
    return birth(merge.id) == kNever && birth(merge.left) != kNever && birth(merge.right) != kNever;
  });
}

}  // namespace cairn::tokenizer
