// Two ways to the same ids:
//
// By matching, in time linear in the piece: from the left, the longest token that fits its left neighbour
// (LiveMerges::fits) and does not end where nothing can follow. Where none fits, the place is a dead end: what comes
// before any place is determined by the place alone, so nothing fits there ever, and the last token is replaced by a
// shorter one. This is exact where merges are ordered, which is checked when a tokenizer is read.
//
// By merging, as the definition says, with a heap of the possible merges: n log n, for merges of any kind.

#include "tokenizer/bpe_model.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"
#include "base/hash.h"

namespace cairn::tokenizer {
namespace {

// Matching may try each prefix of a token at each place. With longer ones than any real tokenizer has, merge.
constexpr std::size_t kMatchBytesMax = 1024;

// The heap's top is the lowest rank, then the leftmost position.
bool comes_later(const MergeBuffers::Candidate& a, const MergeBuffers::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

// Over memory that is all zeros before and after.
class BitSet {
 public:
  BitSet(std::vector<std::uint64_t>& words, std::size_t size) : words_(words), num_words_(size / 64 + 1) {
    words_.resize(std::max(words_.size(), num_words_));
  }
  ~BitSet() {
    if (!is_empty_) {
      std::fill_n(words_.begin(), num_words_, 0);
    }
  }
  BitSet(const BitSet&) = delete;
  BitSet& operator=(const BitSet&) = delete;

  bool has(std::size_t i) const { return (words_[i / 64] >> i % 64 & 1) != 0; }
  void add(std::size_t i) {
    words_[i / 64] |= std::uint64_t{1} << i % 64;
    is_empty_ = false;
  }

 private:
  std::vector<std::uint64_t>& words_;
  std::size_t num_words_;
  bool is_empty_ = true;
};

}  // namespace

void BytesTable::reserve(std::size_t num_entries) {
  slots_.assign(std::bit_ceil(std::max<std::size_t>(16, num_entries * 2)), {});
  entries_.reserve(num_entries);
}

std::size_t BytesTable::slot_of(std::string_view bytes, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at].entry >= 0; at = (at + 1) & mask) {
    if (slots_[at].upper_hash == upper_half(hash) &&
        entries_[static_cast<std::size_t>(slots_[at].entry)].bytes == bytes) {
      break;
    }
  }
  return at;
}

bool BytesTable::add(std::string_view bytes, std::int32_t id) {
  const std::uint64_t hash = xxh3_64(bytes, 0);
  Slot& slot = slots_[slot_of(bytes, hash)];
  if (slot.entry >= 0) {
    return false;
  }
  slot = {upper_half(hash), static_cast<std::int32_t>(entries_.size())};
  entries_.push_back({bytes, id});
  num_bytes_max_ = std::max(num_bytes_max_, bytes.size());
  return true;
}

std::int32_t BytesTable::find(std::string_view bytes) const {
  return bytes.size() > num_bytes_max_ ? -1 : find_hashed(bytes, xxh3_64(bytes, 0));
}

void BytesTable::prefetch(std::string_view bytes) const {
  __builtin_prefetch(&slots_[xxh3_64(bytes, 0) & (slots_.size() - 1)]);
}

void BytesTable::find_all(std::span<const std::string_view> bytes, std::span<std::int32_t> ids) const {
  constexpr std::size_t kBlock = 32;
  std::array<std::uint64_t, kBlock> hashes;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, bytes.size() - begin);
    const auto entry_of = [&](std::size_t i) {
      return entries_.data() + std::max(0, slots_[hashes[i] & mask].entry);
    };
    for (std::size_t i = 0; i < count; ++i) {
      hashes[i] = xxh3_64(bytes[begin + i], 0);
      __builtin_prefetch(&slots_[hashes[i] & mask]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      __builtin_prefetch(entry_of(i));
    }
    for (std::size_t i = 0; i < count && !empty(); ++i) {
      __builtin_prefetch(entry_of(i)->bytes.data());
    }
    for (std::size_t i = 0; i < count; ++i) {
      ids[begin + i] = find_hashed(bytes[begin + i], hashes[i]);
    }
  }
}

std::int32_t BytesTable::find_hashed(std::string_view bytes, std::uint64_t hash) const {
  const std::int32_t entry = slots_[slot_of(bytes, hash)].entry;
  return entry >= 0 ? entries_[static_cast<std::size_t>(entry)].id : -1;
}

// Nearly all tokens are made by one merge only, so to look through a token's is quicker than a table of pairs.
bool BpeModel::add_merge(const BpeMerge& merge) {
  const auto index = static_cast<std::size_t>(merge.id);
  last_makers_.resize(std::max(last_makers_.size(), index + 1), -1);
  std::int32_t maker = last_makers_[index];
  makers_before_.push_back(maker);
  last_makers_[index] = static_cast<std::int32_t>(merges_.size());
  merges_.push_back(merge);
  for (; maker >= 0; maker = makers_before_[static_cast<std::size_t>(maker)]) {
    const BpeMerge& other = merges_[static_cast<std::size_t>(maker)];
    if (other.left == merge.left && other.right == merge.right) {
      return false;
    }
  }
  return true;
}

void BpeModel::finish(std::span<const std::string_view> bytes) {
  last_makers_ = {};
  makers_before_ = {};
  live_.build(merges_, byte_ids, bytes.size());
  if (live_.is_ordered()) {
    prepare_matching(bytes);
  }
  if (encodes_by_matching()) {
    merges_ = {};
    return;
  }
  ranks_.reserve(merges_.size());
  for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
    ranks_.add(merges_[rank].left, merges_[rank].right, static_cast<std::int32_t>(rank));
  }
}

void BpeModel::prepare_matching(std::span<const std::string_view> bytes) {
  std::vector<TokenTrie::Entry> born;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    if (live_.birth(id) == LiveMerges::kNever) {
      continue;
    }
    if (bytes[i].size() > kMatchBytesMax) {
      return;
    }
    born.emplace_back(bytes[i], id);
  }
  trie_.build(born);
  shorter_.resize(bytes.size());
  num_bytes_.resize(bytes.size());
  // In sorted order a token comes behind all that it starts with; `open` are those that the last one starts with.
  std::vector<TokenTrie::Entry> open;
  for (const auto& [token, id] : born) {
    while (!open.empty() && !token.starts_with(open.back().first)) {
      open.pop_back();
    }
    num_bytes_[static_cast<std::size_t>(id)] = static_cast<std::uint16_t>(token.size());
    if (!open.empty()) {
      const auto& [bytes_of_shorter, shorter] = open.back();
      shorter_[static_cast<std::size_t>(id)] = {shorter, static_cast<std::uint32_t>(bytes_of_shorter.size())};
    }
    open.emplace_back(token, id);
  }
}

void BpeModel::encode_piece(std::string_view piece, MergeBuffers& buffers,
                            std::vector<std::int32_t>& ids) const {
  if (!pieces.empty()) {
    const std::int32_t id = pieces.find(piece);
    if (id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  if (encodes_by_matching()) {
    encode_by_matching(piece, buffers, ids);
  } else {
    encode_by_merging(piece, buffers, ids);
  }
}

void BpeModel::encode_by_matching(std::string_view piece, MergeBuffers& buffers,
                                  std::vector<std::int32_t>& ids) const {
  const std::size_t first = ids.size();
  BitSet dead_ends(buffers.dead_ends, piece.size());
  std::size_t at = 0;
  TokenTrie::Found token = trie_.longest(piece);
  while (true) {
    const std::int32_t left = ids.size() > first ? ids.back() : -1;
    while (token.id >= 0 &&
           (dead_ends.has(at + token.num_bytes) || (left >= 0 && !live_.fits(left, token.id)))) {
      token = shorter_[static_cast<std::size_t>(token.id)];
    }
    if (token.id >= 0) {
      ids.push_back(token.id);
      at += token.num_bytes;
      if (at == piece.size()) {
        return;
      }
      token = trie_.longest(piece.substr(at));
      continue;
    }
    DCHECK(left >= 0, "merging has a result for every piece");
    dead_ends.add(at);
    ids.pop_back();
    at -= num_bytes_[static_cast<std::size_t>(left)];
    token = shorter_[static_cast<std::size_t>(left)];  // since its end is dead now
  }
}

void BpeModel::push_candidate(MergeBuffers& buffers, std::int32_t position) const {
  const MergeBuffers::Symbol& symbol = buffers.symbols[static_cast<std::size_t>(position)];
  if (symbol.next < 0) {
    return;
  }
  const std::int32_t right = buffers.symbols[static_cast<std::size_t>(symbol.next)].id;
  const std::int32_t rank = ranks_.find(symbol.id, right);
  if (rank >= 0) {
    buffers.heap.push_back({rank, position});
    std::push_heap(buffers.heap.begin(), buffers.heap.end(), comes_later);
  }
}

void BpeModel::encode_by_merging(std::string_view piece, MergeBuffers& buffers,
                                 std::vector<std::int32_t>& ids) const {
  const auto size = static_cast<std::int32_t>(piece.size());
  std::vector<MergeBuffers::Symbol>& symbols = buffers.symbols;
  symbols.clear();
  buffers.heap.clear();
  for (std::int32_t i = 0; i < size; ++i) {
    const std::int32_t id = byte_ids[static_cast<unsigned char>(piece[static_cast<std::size_t>(i)])];
    DCHECK(id >= 0, "a byte that UTF-8 does not have");
    symbols.push_back({id, i - 1, i + 1 < size ? i + 1 : -1});
  }
  for (std::int32_t i = 0; i < size; ++i) {
    push_candidate(buffers, i);
  }
  while (!buffers.heap.empty()) {
    std::pop_heap(buffers.heap.begin(), buffers.heap.end(), comes_later);
    const MergeBuffers::Candidate top = buffers.heap.back();
    buffers.heap.pop_back();
    MergeBuffers::Symbol& left = symbols[static_cast<std::size_t>(top.position)];
    if (left.id < 0 || left.next < 0) {
      continue;  // merged into another symbol since
    }
    MergeBuffers::Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    if (ranks_.find(left.id, right.id) != top.rank) {
      continue;  // one of the two has grown since
    }
    left.id = merges_[static_cast<std::size_t>(top.rank)].id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) {
      symbols[static_cast<std::size_t>(left.next)].previous = top.position;
    }
    push_candidate(buffers, top.position);
    if (left.previous >= 0) {
      push_candidate(buffers, left.previous);
    }
  }
  for (std::int32_t at = 0; at >= 0; at = symbols[static_cast<std::size_t>(at)].next) {
    ids.push_back(symbols[static_cast<std::size_t>(at)].id);
  }
}

}  // namespace cairn::tokenizer
