// Remembers the ids of short pieces of text. Direct-mapped, so its size is fixed: a later piece replaces an earlier one.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace cairn::tokenizer {

// A piece of at most kPieceBytesMax bytes: the bytes, zeros, and the length in the last byte.
template <std::size_t kWords>
class PieceKey {
 public:
  static constexpr std::size_t kPieceBytesMax = kWords * 8 - 1;

  // REQUIRES 1 to kPieceBytesMax bytes. `num_readable`: bytes from the piece's first on that may be read.
  PieceKey(std::string_view piece, std::size_t num_readable) {
    std::array<char, kWords * 8> bytes{};
    if (num_readable >= bytes.size()) {
      std::memcpy(bytes.data(), piece.data(), bytes.size());
    } else {
      std::memcpy(bytes.data(), piece.data(), piece.size());
    }
    std::memcpy(words_.data(), bytes.data(), bytes.size());
    for (std::size_t i = 0; i < kWords; ++i) {
      words_[i] &= kept_bytes(piece.size(), i);
    }
    words_.back() |= static_cast<std::uint64_t>(piece.size()) << 56;
  }
  PieceKey() = default;

  bool operator==(const PieceKey& other) const {
    std::uint64_t difference = 0;  // of all words, because a loop that stops early would call memcmp
    for (std::size_t i = 0; i < kWords; ++i) {
      difference |= words_[i] ^ other.words_[i];
    }
    return difference == 0;
  }

  std::uint64_t hash() const {
    std::uint64_t hash = 0x9E3779B97F4A7C15U;
    for (const std::uint64_t word : words_) {
      hash = (hash ^ word) * 0xD6E8FEB86659FD93U;
      hash ^= hash >> 32;
    }
    return hash;
  }

 private:
  // The bytes of word `index` that belong to a piece of `size` bytes, in the byte order of little-endian machines.
  static std::uint64_t kept_bytes(std::size_t size, std::size_t index) {
    static_assert(std::endian::native == std::endian::little, "keys are masked from the low end");
    if (size >= index * 8 + 8) {
      return ~std::uint64_t{0};
    }
    return size <= index * 8 ? 0 : (std::uint64_t{1} << (size - index * 8) * 8) - 1;
  }
  std::array<std::uint64_t, kWords> words_{};  // all zeros, the length too: no piece
};

// kIdsMax is chosen so that a slot fills half a cache line or a whole one.
template <std::size_t kWords, std::size_t kIdsMax>
class PieceCache {
 public:
  using Key = PieceKey<kWords>;

  // REQUIRES a power of two.
  explicit PieceCache(std::size_t num_slots) : slots_(num_slots), mask_(num_slots - 1) {}

  // Appends the ids of the piece and returns true, or returns false when it is not remembered.
  bool find(const Key& key, std::vector<std::int32_t>& ids) const {
    const Slot& slot = slots_[key.hash() & mask_];
    if (slot.key != key) {
      return false;
    }
    ids.push_back(slot.ids[0]);
    if (slot.ids[1] >= 0) [[unlikely]] {
      append_more(slot, ids);
    }
    return true;
  }

  // Too many ids are not remembered.
  void add(const Key& key, std::span<const std::int32_t> ids) {
    if (ids.empty() || ids.size() > kIdsMax) {
      return;
    }
    Slot& slot = slots_[key.hash() & mask_];
    slot.key = key;
    slot.ids.fill(-1);
    std::ranges::copy(ids, slot.ids.begin());
  }

 private:
  struct alignas(kWords * 16) Slot {
    Key key;
    std::array<std::int32_t, kIdsMax> ids{};  // -1 behind the last one
  };
  static_assert(sizeof(Slot) == kWords * 16);
  static void append_more(const Slot& slot, std::vector<std::int32_t>& ids) {
    for (std::size_t i = 1; i < kIdsMax && slot.ids[i] >= 0; ++i) {
      ids.push_back(slot.ids[i]);
    }
  }

  std::vector<Slot> slots_;
  std::size_t mask_;
};

}  // namespace cairn::tokenizer
