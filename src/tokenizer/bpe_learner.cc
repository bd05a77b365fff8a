#include "tokenizer/bpe_learner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <limits>
#include <queue>
#include <span>
#include <utility>

#include "device/thread_pool.h"

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kNumBytes = 256;
constexpr std::size_t kPrefetchAhead = 8;
constexpr std::size_t kParallelMin = 4096;  // words of a pair; below it threads cost more than they give
constexpr std::int64_t kProgressEvery = 256;
constexpr std::uint32_t kNoWord = std::numeric_limits<std::uint32_t>::max();

using PairKey = std::uint64_t;  // left id in the upper half, so that keys order as pairs do

PairKey pair_key(std::uint32_t left, std::uint32_t right) {
  return static_cast<PairKey>(left) << 32 | right;
}

// The words side by side: each its count in two places, its number of symbols, and its symbols, of which it only ever
// has fewer. A word is named by where it begins.
class Words {
 public:
  bool add(std::string_view bytes, std::int64_t count) {
    if (slots_.size() + kHeader + bytes.size() > std::numeric_limits<std::uint32_t>::max()) {
      return false;
    }
    slots_.push_back(static_cast<std::uint32_t>(count));
    slots_.push_back(static_cast<std::uint32_t>(static_cast<std::uint64_t>(count) >> 32));
    slots_.push_back(static_cast<std::uint32_t>(bytes.size()));
    for (const char byte : bytes) {
      slots_.push_back(static_cast<unsigned char>(byte));
    }
    ++num_words_;
    return true;
  }

  std::size_t num_words() const { return num_words_; }
  std::size_t num_bytes() const { return slots_.size() - num_words_ * kHeader; }

  std::int64_t count(std::size_t word) const {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(slots_[word + 1]) << 32 | slots_[word]);
  }
  std::span<std::uint32_t> symbols(std::size_t word) {
    return {slots_.data() + word + kHeader, slots_[word + kHeader - 1]};
  }
  void shorten(std::size_t word, std::size_t num_symbols) {
    slots_[word + kHeader - 1] = static_cast<std::uint32_t>(num_symbols);
  }
  void prefetch(std::size_t word) const { __builtin_prefetch(slots_.data() + word, 1); }

  // Calls visit(word) for each. REQUIRES that none has been shortened.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::size_t word = 0; word < slots_.size(); word += kHeader + symbols(word).size()) {
      visit(static_cast<std::uint32_t>(word));
    }
  }

 private:
  static constexpr std::size_t kHeader = 3;
  std::vector<std::uint32_t> slots_;
  std::size_t num_words_ = 0;
};

// Lists of words: memory that is handed out once and freed at the end.
class ListArena {
 public:
  std::uint32_t* allocate(std::size_t size) {
    if (size > left_) {
      left_ = std::max(kBlock, size);
      blocks_.push_back(std::make_unique_for_overwrite<std::uint32_t[]>(left_));
      next_ = blocks_.back().get();
    }
    std::uint32_t* list = next_;
    next_ += size;
    left_ -= size;
    return list;
  }

 private:
  static constexpr std::size_t kBlock = std::size_t{1} << 20;
  std::vector<std::unique_ptr<std::uint32_t[]>> blocks_;
  std::uint32_t* next_ = nullptr;
  std::size_t left_ = 0;
};

struct Pair {
  PairKey key = 0;
  std::int64_t count = 0;                // 0: an empty slot, or a pair that is gone
  const std::uint32_t* words = nullptr;  // that had the pair when it was made, each once
  std::uint32_t num_words = 0;
  bool is_used = false;
};

// Open-addressing table of pairs.
class PairCounts {
 public:
  Pair* find(PairKey key) {
    if (slots_.empty()) {
      return nullptr;
    }
    Pair& slot = slots_[slot_of(key)];
    return slot.is_used ? &slot : nullptr;
  }

  // REQUIRES that the key is not there.
  void add(const Pair& pair) {
    if (num_used_ * 2 >= slots_.size()) {
      grow();
    }
    slots_[slot_of(pair.key)] = pair;
    ++num_used_;
  }

 private:
  std::size_t slot_of(PairKey key) const {
    const std::size_t mask = slots_.size() - 1;
    std::uint64_t mixed = key ^ key >> 32;
    mixed *= 0x9E3779B97F4A7C15U;
    std::size_t slot = (mixed ^ mixed >> 29) & mask;
    while (slots_[slot].is_used && slots_[slot].key != key) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  // Twice as large, unless leaving out the pairs that are gone makes room enough.
  void grow() {
    const auto num_live = static_cast<std::size_t>(
        std::count_if(slots_.begin(), slots_.end(), [](const Pair& pair) { return pair.count > 0; }));
    const std::vector<Pair> before =
        std::exchange(slots_, std::vector<Pair>(std::max<std::size_t>(1024, std::bit_ceil(num_live * 3))));
    num_used_ = num_live;
    for (const Pair& pair : before) {
      if (pair.count > 0) {
        slots_[slot_of(pair.key)] = pair;
      }
    }
  }

  std::vector<Pair> slots_;
  std::size_t num_used_ = 0;
};

struct Candidate {
  std::int64_t count;
  PairKey pair;
  // The queue's top has the highest count, then the lowest pair.
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

// What one merge does to the pairs on one side of the merged one, by the neighbour's id.
class Neighbours {
 public:
  struct Occurrence {
    std::uint32_t id;
    std::uint32_t word;
  };
  struct Sum {
    std::int64_t count = 0;
    std::uint32_t num_words = 0;
    std::uint32_t last_word = kNoWord;
    std::uint32_t* list = nullptr;  // where the next word goes, or null when the pair is not kept
  };

  void add(std::uint32_t id, std::uint32_t word, std::int64_t count) {
    if (id >= sums_.size()) {
      sums_.resize(std::max<std::size_t>(id + 1, sums_.size() * 2));
    }
    Sum& sum = sums_[id];
    if (sum.count == 0) {
      ids_.push_back(id);
    }
    sum.count += count;
    if (sum.last_word != word) {
      sum.last_word = word;
      ++sum.num_words;
      occurrences_.push_back({id, word});
    }
  }

  // The sums of `other` on top; no word is in both.
  void add_sums(const Neighbours& other) {
    for (const std::uint32_t id : other.ids_) {
      if (id >= sums_.size()) {
        sums_.resize(std::max<std::size_t>(id + 1, sums_.size() * 2));
      }
      if (sums_[id].count == 0) {
        ids_.push_back(id);
      }
      sums_[id].count += other.sums_[id].count;
      sums_[id].num_words += other.sums_[id].num_words;
    }
  }

  std::span<const std::uint32_t> ids() const { return ids_; }
  std::span<const Occurrence> occurrences() const { return occurrences_; }
  Sum& sum(std::uint32_t id) { return sums_[id]; }

  void clear() {
    for (const std::uint32_t id : ids_) {
      sums_[id] = {};
    }
    ids_.clear();
    occurrences_.clear();
  }

 private:
  std::vector<Sum> sums_;  // by id
  std::vector<std::uint32_t> ids_;
  std::vector<Occurrence> occurrences_;
};

// What one merge does, as one thread sees it.
struct Changes {
  Neighbours left;
  Neighbours right;
  // Where two merged pairs touch, the one token follows the other.
  std::int64_t touching_count = 0;
  std::vector<std::uint32_t> touching_words;

  void clear() {
    left.clear();
    right.clear();
    touching_count = 0;
    touching_words.clear();
  }
};

class Learning {
 public:
  Learning(Words& words, const BpeLearnerOptions& options, std::vector<std::string>& tokens)
      : words_(words),
        options_(options),
        count_min_(std::max<std::int64_t>(1, options.min_frequency)),
        tokens_(tokens),
        pool_(options.num_threads),
        changes_(static_cast<std::size_t>(options.num_threads)) {}

  void count_first_pairs(std::span<const std::int32_t> byte_ids);
  std::vector<BpeMerge> run(const std::unordered_set<std::string>& taken);

 private:
  void apply(const Pair& pair, const BpeMerge& merge);
  void merge_in_words(std::span<const std::uint32_t> words, const BpeMerge& merge, Changes& changes);
  void merge_in_word(std::uint32_t word, const BpeMerge& merge, Changes& changes);
  void settle_side(Neighbours Changes::*side, const BpeMerge& merge);
  void settle_touching(const BpeMerge& merge);
  void take_away(std::uint32_t left, std::uint32_t right, std::int64_t count);
  std::uint32_t* add_pair(std::uint32_t left, std::uint32_t right, std::int64_t count, std::size_t num_words);
  bool may_join(std::uint32_t left, std::uint32_t right) const;
  void report(bool is_last) const;

  Words& words_;
  const BpeLearnerOptions& options_;
  std::int64_t count_min_;
  std::vector<std::string>& tokens_;
  PairCounts pairs_;
  ListArena lists_;
  std::priority_queue<Candidate> queue_;
  ThreadPool pool_;
  std::vector<Changes> changes_;  // one a thread
};

// Pairs of bytes fit into a plain array. Turns the bytes of the words into ids.
void Learning::count_first_pairs(std::span<const std::int32_t> byte_ids) {
  struct First {
    std::int64_t count = 0;
    std::uint32_t num_words = 0;
    std::uint32_t last_word = kNoWord;
    std::uint32_t* list = nullptr;
  };
  std::vector<First> firsts(kNumBytes * kNumBytes);
  words_.for_each([&](std::uint32_t word) {
    const std::span<const std::uint32_t> symbols = words_.symbols(word);
    const std::int64_t count = words_.count(word);
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      First& first = firsts[symbols[i] * kNumBytes + symbols[i + 1]];
      first.count += count;
      first.num_words += first.last_word != word ? 1 : 0;
      first.last_word = word;
    }
  });
  for (std::size_t i = 0; i < firsts.size(); ++i) {
    First& first = firsts[i];
    first.last_word = kNoWord;
    if (first.count >= count_min_) {
      first.list =
          add_pair(static_cast<std::uint32_t>(byte_ids[i / kNumBytes]),
                   static_cast<std::uint32_t>(byte_ids[i % kNumBytes]), first.count, first.num_words);
    }
  }
  words_.for_each([&](std::uint32_t word) {
    const std::span<std::uint32_t> symbols = words_.symbols(word);
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      if (i + 1 < symbols.size()) {
        First& first = firsts[symbols[i] * kNumBytes + symbols[i + 1]];
        if (first.list != nullptr && first.last_word != word) {
          *first.list++ = word;
          first.last_word = word;
        }
      }
      symbols[i] = static_cast<std::uint32_t>(byte_ids[symbols[i]]);
    }
  });
}

std::vector<BpeMerge> Learning::run(const std::unordered_set<std::string>& taken) {
  std::vector<BpeMerge> merges;
  while (static_cast<std::int64_t>(tokens_.size()) < options_.vocab_size && !queue_.empty()) {
    const Candidate top = queue_.top();
    queue_.pop();
    Pair* found = pairs_.find(top.pair);
    if (found == nullptr || found->count < count_min_) {
      continue;
    }
    if (found->count != top.count) {
      queue_.push({found->count, top.pair});
      continue;
    }
    const Pair pair = *found;
    found->count = 0;
    const auto left = static_cast<std::size_t>(top.pair >> 32);
    const auto right = static_cast<std::size_t>(top.pair & 0xFFFFFFFF);
    std::string bytes = tokens_[left] + tokens_[right];
    if (taken.contains(bytes)) {
      continue;
    }
    merges.push_back({static_cast<std::int32_t>(left), static_cast<std::int32_t>(right),
                      static_cast<std::int32_t>(tokens_.size())});
    tokens_.push_back(std::move(bytes));
    apply(pair, merges.back());
    report(false);
  }
  report(true);
  return merges;
}

void Learning::report(bool is_last) const {
  const auto done = static_cast<std::int64_t>(tokens_.size());
  if (options_.on_progress && (is_last || done % kProgressEvery == 0)) {
    options_.on_progress(done, options_.vocab_size);
  }
}

bool Learning::may_join(std::uint32_t left, std::uint32_t right) const {
  const auto size = static_cast<std::int64_t>(tokens_[left].size() + tokens_[right].size());
  return options_.token_length_max == 0 || size < options_.token_length_max;
}

// The list to be filled with `num_words` words.
std::uint32_t* Learning::add_pair(std::uint32_t left, std::uint32_t right, std::int64_t count,
                                  std::size_t num_words) {
  std::uint32_t* list = lists_.allocate(num_words);
  const PairKey key = pair_key(left, right);
  pairs_.add({key, count, list, static_cast<std::uint32_t>(num_words), true});
  queue_.push({count, key});
  return list;
}

void Learning::take_away(std::uint32_t left, std::uint32_t right, std::int64_t count) {
  if (Pair* pair = pairs_.find(pair_key(left, right))) {  // otherwise it was below the least count all along
    pair->count -= std::min(pair->count, count);          // the merged pair is at 0 already
  }
}

void Learning::apply(const Pair& pair, const BpeMerge& merge) {
  const std::span<const std::uint32_t> words(pair.words, pair.num_words);
  if (words.size() < kParallelMin || pool_.num_threads() == 1) {
    merge_in_words(words, merge, changes_.front());
  } else {
    pool_.run([&](int thread_index) {
      const IndexRange block =
          static_block(static_cast<std::int64_t>(words.size()), thread_index, pool_.num_threads());
      merge_in_words(words.subspan(static_cast<std::size_t>(block.begin),
                                   static_cast<std::size_t>(block.end - block.begin)),
                     merge, changes_[static_cast<std::size_t>(thread_index)]);
    });
  }
  settle_side(&Changes::left, merge);
  settle_side(&Changes::right, merge);
  settle_touching(merge);
  for (Changes& changes : changes_) {
    changes.clear();
  }
}

void Learning::merge_in_words(std::span<const std::uint32_t> words, const BpeMerge& merge, Changes& changes) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i + kPrefetchAhead < words.size()) {
      words_.prefetch(words[i + kPrefetchAhead]);
    }
    merge_in_word(words[i], merge, changes);
  }
}

// Merges from the left. Where two merged pairs touch, it is noted once, at the later one.
void Learning::merge_in_word(std::uint32_t word, const BpeMerge& merge, Changes& changes) {
  const auto left = static_cast<std::uint32_t>(merge.left);
  const auto right = static_cast<std::uint32_t>(merge.right);
  const auto merged = static_cast<std::uint32_t>(merge.id);
  const std::span<std::uint32_t> symbols = words_.symbols(word);
  const std::int64_t count = words_.count(word);
  std::size_t size = 0;
  bool is_after_merged = false;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const std::uint32_t symbol = symbols[i];
    const bool is_pair = symbol == left && i + 1 < symbols.size() && symbols[i + 1] == right;
    if (is_pair && is_after_merged) {
      changes.touching_count += count;
      if (changes.touching_words.empty() || changes.touching_words.back() != word) {
        changes.touching_words.push_back(word);
      }
    } else if (is_pair && size > 0) {
      changes.left.add(symbols[size - 1], word, count);
    } else if (is_after_merged) {
      changes.right.add(symbol, word, count);
    }
    symbols[size++] = is_pair ? merged : symbol;
    i += is_pair ? 1 : 0;
    is_after_merged = is_pair;
  }
  words_.shorten(word, size);
}

// The neighbours on one side lose their pair with what was merged and have one with the new token.
void Learning::settle_side(Neighbours Changes::*side, const BpeMerge& merge) {
  const bool is_left = side == &Changes::left;
  const auto merged = static_cast<std::uint32_t>(merge.id);
  Neighbours& sums = changes_.front().*side;
  for (std::size_t thread = 1; thread < changes_.size(); ++thread) {
    sums.add_sums(changes_[thread].*side);
  }
  for (const std::uint32_t id : sums.ids()) {
    Neighbours::Sum& sum = sums.sum(id);
    const auto [left, right] = is_left ? std::pair(id, merged) : std::pair(merged, id);
    if (is_left) {
      take_away(id, static_cast<std::uint32_t>(merge.left), sum.count);
    } else {
      take_away(static_cast<std::uint32_t>(merge.right), id, sum.count);
    }
    if (sum.count >= count_min_ && may_join(left, right)) {
      sum.list = add_pair(left, right, sum.count, sum.num_words);
    }
  }
  for (Changes& changes : changes_) {
    for (const Neighbours::Occurrence& occurrence : (changes.*side).occurrences()) {
      std::uint32_t*& list = sums.sum(occurrence.id).list;
      if (list != nullptr) {
        *list++ = occurrence.word;
      }
    }
  }
}

void Learning::settle_touching(const BpeMerge& merge) {
  std::int64_t count = 0;
  std::size_t num_words = 0;
  for (const Changes& changes : changes_) {
    count += changes.touching_count;
    num_words += changes.touching_words.size();
  }
  if (count == 0) {
    return;
  }
  take_away(static_cast<std::uint32_t>(merge.right), static_cast<std::uint32_t>(merge.left), count);
  const auto merged = static_cast<std::uint32_t>(merge.id);
  if (count >= count_min_ && may_join(merged, merged)) {
    std::uint32_t* list = add_pair(merged, merged, count, num_words);
    for (const Changes& changes : changes_) {
      list = std::copy(changes.touching_words.begin(), changes.touching_words.end(), list);
    }
  }
}

}  // namespace

struct BpeLearner::State {
  Words words;
};

BpeLearner::BpeLearner() : state_(std::make_unique<State>()) {}
BpeLearner::~BpeLearner() = default;
BpeLearner::BpeLearner(BpeLearner&&) noexcept = default;
BpeLearner& BpeLearner::operator=(BpeLearner&&) noexcept = default;

bool BpeLearner::add_word(std::string_view bytes, std::int64_t count) {
  return state_->words.add(bytes, count);
}

std::int64_t BpeLearner::num_words() const {
  return static_cast<std::int64_t>(state_->words.num_words());
}

std::int64_t BpeLearner::num_bytes() const {
  return static_cast<std::int64_t>(state_->words.num_bytes());
}

std::vector<BpeMerge> BpeLearner::learn(const BpeLearnerOptions& options,
                                        std::span<const std::int32_t> byte_ids,
                                        const std::unordered_set<std::string>& taken,
                                        std::vector<std::string>& tokens) {
  Learning learning(state_->words, options, tokens);
  learning.count_first_pairs(byte_ids);
  return learning.run(taken);
}

}  // namespace cairn::tokenizer
