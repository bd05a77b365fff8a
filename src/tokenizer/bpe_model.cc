#include "tokenizer/bpe_model.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/hash.h"

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kShortPiece = 48;  // bytes; above it the heap is faster
constexpr std::uint64_t kEmptyKey = ~std::uint64_t{0};

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

std::uint64_t mix(std::uint64_t key) {
  key ^= key >> 32;
  key *= 0x9E3779B97F4A7C15U;
  return key ^ key >> 29;
}

// A power of two at least twice as large.
std::size_t table_size(std::size_t num_entries) {
  return std::bit_ceil(std::max<std::size_t>(16, num_entries * 2));
}

// The heap's top is the lowest rank, then the leftmost position.
bool comes_later(const MergeBuffers::Candidate& a, const MergeBuffers::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

}  // namespace

void MergeTable::reserve(std::size_t num_merges) {
  CHECK(slots_.empty(), "a merge table is reserved once");
  slots_.resize(table_size(num_merges));
}

std::size_t MergeTable::slot_of(std::uint64_t key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = mix(key) & mask;
  while (slots_[slot].key != key && slots_[slot].key != kEmptyKey) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

bool MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
  Slot& slot = slots_[slot_of(pair_key(left, right))];
  if (slot.key != kEmptyKey) {
    return false;
  }
  slot = {pair_key(left, right), merge};
  return true;
}

MergeTable::Merge MergeTable::find(std::int32_t left, std::int32_t right) const {
  return slots_[slot_of(pair_key(left, right))].merge;
}

void BytesTable::reserve(std::size_t num_entries) {
  CHECK(slots_.empty(), "a table of strings is reserved once");
  slots_.resize(table_size(num_entries));
}

bool BytesTable::add(std::string_view bytes, std::int32_t id) {
  const std::uint64_t hash = xxh3_64(bytes, 0);
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  for (; slots_[slot].id >= 0; slot = (slot + 1) & mask) {
    if (slots_[slot].hash == hash && slots_[slot].bytes == bytes) {
      return false;
    }
  }
  slots_[slot] = {bytes, hash, id};
  return true;
}

std::int32_t BytesTable::find(std::string_view bytes) const {
  const std::uint64_t hash = xxh3_64(bytes, 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask; slots_[slot].id >= 0; slot = (slot + 1) & mask) {
    if (slots_[slot].hash == hash && slots_[slot].bytes == bytes) {
      return slots_[slot].id;
    }
  }
  return -1;
}

void BpeModel::encode_piece(std::string_view piece, MergeBuffers& buffers,
                            std::vector<std::int32_t>& ids) const {
  if (ignore_merges) {
    const std::int32_t id = pieces.find(piece);
    if (id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  buffers.ids.clear();
  for (const char c : piece) {
    const std::int32_t id = byte_ids[static_cast<unsigned char>(c)];
    DCHECK(id >= 0, "a byte that UTF-8 does not have");
    buffers.ids.push_back(id);
  }
  if (piece.size() <= kShortPiece) {
    merge_short(buffers);
  } else {
    merge_long(buffers);
  }
  ids.insert(ids.end(), buffers.ids.begin(), buffers.ids.end());
}

void BpeModel::merge_short(MergeBuffers& buffers) const {
  std::vector<std::int32_t>& ids = buffers.ids;
  std::array<MergeTable::Merge, kShortPiece> found;  // found[i]: the merge of ids[i] and ids[i + 1]
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    found[i] = merges.find(ids[i], ids[i + 1]);
  }
  while (ids.size() > 1) {
    std::size_t best = ids.size();
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const bool is_better = found[i].rank >= 0 && (best == ids.size() || found[i].rank < found[best].rank);
      best = is_better ? i : best;
    }
    if (best == ids.size()) {
      return;
    }
    ids[best] = found[best].id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    for (std::size_t i = best + 1; i + 1 < ids.size(); ++i) {
      found[i] = found[i + 1];
    }
    if (best > 0) {
      found[best - 1] = merges.find(ids[best - 1], ids[best]);
    }
    if (best + 1 < ids.size()) {
      found[best] = merges.find(ids[best], ids[best + 1]);
    }
  }
}

void BpeModel::push_candidate(MergeBuffers& buffers, std::int32_t position) const {
  const MergeBuffers::Symbol& symbol = buffers.symbols[static_cast<std::size_t>(position)];
  if (symbol.next < 0) {
    return;
  }
  const std::int32_t right = buffers.symbols[static_cast<std::size_t>(symbol.next)].id;
  const MergeTable::Merge merge = merges.find(symbol.id, right);
  if (merge.rank >= 0) {
    buffers.heap.push_back({merge.rank, position, merge.id});
    std::push_heap(buffers.heap.begin(), buffers.heap.end(), comes_later);
  }
}

void BpeModel::merge_long(MergeBuffers& buffers) const {
  const auto size = static_cast<std::int32_t>(buffers.ids.size());
  std::vector<MergeBuffers::Symbol>& symbols = buffers.symbols;
  symbols.clear();
  buffers.heap.clear();
  for (std::int32_t i = 0; i < size; ++i) {
    symbols.push_back({buffers.ids[static_cast<std::size_t>(i)], i - 1, i + 1 < size ? i + 1 : -1});
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
    const MergeTable::Merge merge = merges.find(left.id, right.id);
    if (merge.rank != top.rank || merge.id != top.id) {
      continue;  // one of the two has grown since
    }
    left.id = top.id;
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
  buffers.ids.clear();
  for (std::int32_t at = 0; at >= 0; at = symbols[static_cast<std::size_t>(at)].next) {
    buffers.ids.push_back(symbols[static_cast<std::size_t>(at)].id);
  }
}

}  // namespace cairn::tokenizer
