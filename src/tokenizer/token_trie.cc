#include "tokenizer/token_trie.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <optional>

#include "base/check.h"

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kHeadBytes = sizeof(std::uint64_t);

}  // namespace

// Places the nodes one after the other, each with all its children, into blocks of 256 units.
struct TokenTrie::Builder {
  // A set of units of a block.
  class Units {
   public:
    bool has(std::uint32_t unit) const { return (words_[unit / 64] >> unit % 64 & 1) != 0; }
    void add(std::uint32_t unit) { words_[unit / 64] |= std::uint64_t{1} << unit % 64; }
    // The first one from `unit` on that is not in the set; kBlockSize when all are.
    std::uint32_t next_absent(std::uint32_t unit) const {
      for (; unit < kBlockSize; unit = (unit / 64 + 1) * 64) {
        const std::uint64_t absent = ~words_[unit / 64] >> unit % 64;
        if (absent != 0) {
          return unit + static_cast<std::uint32_t>(std::countr_zero(absent));
        }
      }
      return kBlockSize;
    }

   private:
    std::array<std::uint64_t, kBlockSize / 64> words_{};
  };

  // Blocks that still have room. When none of them takes a node, a fresh one does and the oldest is left as it is:
  // that bounds the time, and costs little room because most nodes have one child and fit anywhere.
  static constexpr std::size_t kOpenBlocks = 8;

  struct Pending {
    std::size_t begin = 0, end = 0;  // entries with the node's prefix
    std::size_t depth = 0;           // its length
    std::uint32_t unit = 0;          // where the node's own unit is; 0 for the root
  };
  struct Child {
    unsigned char label = 0;
    std::size_t begin = 0, end = 0;
  };

  Builder(std::span<const Entry> all, std::span<const std::uint64_t> heads_of_all)
      : entries(all), heads(heads_of_all) {
    pending.push_back({0, all.size(), 0, 0});
  }

  void place_all() {
    while (!pending.empty()) {
      const Pending node = pending.back();
      pending.pop_back();
      place(node);
    }
  }

  void place(const Pending& node) {
    find_children(node);
    if (children.empty()) {
      return;
    }
    const std::uint32_t base = take_base();
    bases[base / kBlockSize].add(base % kBlockSize);
    (node.unit == 0 ? root : units[node.unit].base) = base;
    for (const Child& child : children) {
      const std::uint32_t at = base ^ child.label;
      taken[at / kBlockSize].add(at % kBlockSize);
      // Entries are sorted, so one that ends here is the first.
      const auto& [bytes, id] = entries[child.begin];
      const bool ends_here = bytes.size() == node.depth + 1;
      const std::uint32_t token = ends_here ? static_cast<std::uint32_t>(id) + 1 : 0;
      units[at] = {0, token << kTokenShift | kUsed | child.label};
      pending.push_back({child.begin + (ends_here ? 1 : 0), child.end, node.depth + 1, at});
    }
  }

  void find_children(const Pending& node) {
    children.clear();
    for (std::size_t i = node.begin; i < node.end; ++i) {
      const unsigned char label = byte_of(i, node.depth);
      if (children.empty() || children.back().label != label) {
        children.push_back({label, i, i});
      }
      children.back().end = i + 1;
    }
  }

  unsigned char byte_of(std::size_t entry, std::size_t depth) const {
    if (depth >= kHeadBytes) {
      return static_cast<unsigned char>(entries[entry].first[depth]);
    }
    return static_cast<unsigned char>(heads[entry] >> 8 * (kHeadBytes - 1 - depth));
  }

  std::uint32_t take_base() {
    for (std::size_t i = open.size(); i-- > 0;) {
      if (const std::optional<std::uint32_t> base = base_in(open[i])) {
        return *base;
      }
    }
    if (open.size() == kOpenBlocks) {
      open.erase(open.begin());
    }
    const auto block = static_cast<std::uint32_t>(units.size() / kBlockSize);
    open.push_back(block);
    units.resize(units.size() + kBlockSize);
    taken.emplace_back();
    bases.emplace_back();
    return *base_in(block);
  }

  // A base in the block, not anybody's yet, at which all children find their units free.
  std::optional<std::uint32_t> base_in(std::uint32_t block) const {
    const Units& is_taken = taken[block];
    for (std::uint32_t unit = is_taken.next_absent(0); unit < kBlockSize;
         unit = is_taken.next_absent(unit + 1)) {
      const std::uint32_t low = unit ^ children.front().label;  // puts the first child there
      if (!bases[block].has(low) &&
          std::ranges::none_of(children, [&](const Child& c) { return is_taken.has(low ^ c.label); })) {
        return block * kBlockSize + low;
      }
    }
    return std::nullopt;
  }

  std::span<const Entry> entries;
  std::span<const std::uint64_t> heads;  // of the entries
  LargeVector<Unit> units =
      LargeVector<Unit>(kBlockSize);                 // the first block stays empty: base 0 marks leaves
  std::vector<Units> taken = std::vector<Units>(1);  // by block: units of children
  std::vector<Units> bases = std::vector<Units>(1);
  std::vector<std::uint32_t> open;
  std::vector<Pending> pending;
  std::vector<Child> children;  // of the node that is being placed
  std::uint32_t root = 0;
};

namespace {

// By their first eight bytes first, as a number: that decides nearly always, and without a look at the bytes. Returns these
// heads, with zeros behind shorter entries.
std::vector<std::uint64_t> sort_entries(std::span<TokenTrie::Entry> entries) {
  struct Keyed {
    std::uint64_t head = 0;
    TokenTrie::Entry entry;
    bool operator<(const Keyed& other) const {
      return head != other.head ? head < other.head : entry.first < other.entry.first;
    }
  };
  std::vector<Keyed> keyed;
  keyed.reserve(entries.size());
  for (const TokenTrie::Entry& entry : entries) {
    std::uint64_t head = 0;
    for (std::size_t i = 0; i < kHeadBytes; ++i) {
      const unsigned byte = i < entry.first.size() ? static_cast<unsigned char>(entry.first[i]) : 0U;
      head = head << 8 | byte;
    }
    keyed.push_back({head, entry});
  }
  std::ranges::sort(keyed, std::less<>());
  std::ranges::transform(keyed, entries.begin(), &Keyed::entry);
  std::vector<std::uint64_t> heads(entries.size());
  std::ranges::transform(keyed, heads.begin(), &Keyed::head);
  return heads;
}

}  // namespace

void TokenTrie::prepare_starts(std::span<const Entry> entries) {
  for (unsigned index = 0; index < kNumStarts; ++index) {
    const std::array<unsigned, 3> character = {0xE0 | index >> 12, 0x80 | (index >> 6 & 0x3F),
                                               0x80 | (index & 0x3F)};
    Start start{0, root_, 0};
    for (std::uint32_t i = 0; i < character.size() && start.base != 0; ++i) {
      const Unit unit = units_[start.base ^ character[i]];
      const bool is_child = (unit.token_and_label & kLabelMask) == (kUsed | character[i]);
      const std::uint32_t token = is_child ? unit.token_and_label >> kTokenShift : 0;
      start.token_and_size = token > 0 ? token << 2 | (i + 1) : start.token_and_size;
      start.base = is_child ? unit.base : 0;
    }
    starts_[index] = start;
  }
  for (const auto& [bytes, id] : entries) {
    if (bytes.size() > 3 && starts_with_three_bytes(bytes)) {
      const std::string_view rest = bytes.substr(3);
      const bool ends_inside = rest.size() < 3;  // of a second character: any one has it
      starts_[start_index(bytes)].seconds |= ends_inside                     ? ~std::uint64_t{0}
                                             : starts_with_three_bytes(rest) ? second_bit(rest)
                                                                             : 0;
    }
  }
}

void TokenTrie::build(std::span<Entry> entries) {
  const std::vector<std::uint64_t> heads = sort_entries(entries);
  CHECK(entries.empty() || !entries.front().first.empty(), "an entry without bytes");
  Builder builder(entries, heads);
  builder.place_all();
  if (!entries.empty()) {
    root_ = builder.root;
    units_ = std::move(builder.units);
    prepare_starts(entries);
  }
}

}  // namespace cairn::tokenizer
