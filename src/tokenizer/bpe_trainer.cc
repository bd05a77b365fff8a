#include "tokenizer/bpe_trainer.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/faults.h"
#include "base/text.h"
#include "tokenizer/bpe_trainer_json.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizer.h"

namespace cairn::tokenizer {
namespace {

constexpr std::int64_t kNumBytes = 256;
constexpr std::int64_t kVocabSizeMax = std::int64_t{1} << 22;

using PairKey = std::uint64_t;  // left id in the upper half, so that keys order as pairs do

PairKey pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<PairKey>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

// A distinct word: its symbols are a stretch of the learner's array, which only ever shrinks.
struct Word {
  std::size_t begin = 0;
  std::size_t size = 0;
  std::int64_t count = 0;
};

struct PairInfo {
  std::int64_t count = 0;
  std::vector<std::int32_t> words;  // those that had the pair at some time, rising per addition
};

struct Candidate {
  std::int64_t count;
  PairKey pair;
  // The queue's top has the highest count, then the lowest pair.
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

// Learns merges from counted words.
class Learner {
 public:
  // `tokens`: bytes of every token so far. `taken`: strings that no merge may make (special tokens).
  Learner(std::vector<std::string>& tokens, const std::unordered_set<std::string>& taken)
      : tokens_(tokens), taken_(taken) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      ids_.emplace(tokens[i], static_cast<std::int32_t>(i));
    }
  }

  void add_word(std::string_view bytes, std::int64_t count, std::span<const std::int32_t> byte_ids) {
    words_.push_back({symbols_.size(), bytes.size(), count});
    for (const char byte : bytes) {
      symbols_.push_back(byte_ids[static_cast<unsigned char>(byte)]);
    }
    count_pairs(static_cast<std::int32_t>(words_.size()) - 1, 1);
  }

  std::vector<LearnedMerge> learn(std::int64_t vocab_size, std::int64_t min_frequency) {
    std::vector<LearnedMerge> merges;
    for (const auto& [pair, info] : pairs_) {
      queue_.push({info.count, pair});
    }
    changed_.clear();
    while (static_cast<std::int64_t>(tokens_.size()) < vocab_size && !queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const auto found = pairs_.find(top.pair);
      if (found == pairs_.end()) {
        continue;
      }
      if (found->second.count != top.count) {
        push_if_positive(found->second.count, top.pair);
        continue;
      }
      if (top.count < std::max<std::int64_t>(1, min_frequency)) {
        break;
      }
      const auto left = static_cast<std::int32_t>(top.pair >> 32);
      const auto right = static_cast<std::int32_t>(top.pair & 0xFFFFFFFF);
      const std::vector<std::int32_t> words = std::move(found->second.words);
      pairs_.erase(found);
      const std::int32_t id = id_of_merged(left, right);
      if (id < 0) {
        continue;
      }
      merges.push_back({left, right, id});
      apply(words, left, right, id);
    }
    return merges;
  }

 private:
  // The token that the pair becomes: a new one, or an old one of the same bytes. -1 when it must not be made.
  std::int32_t id_of_merged(std::int32_t left, std::int32_t right) {
    const std::string bytes =
        tokens_[static_cast<std::size_t>(left)] + tokens_[static_cast<std::size_t>(right)];
    if (taken_.contains(bytes)) {
      return -1;
    }
    const auto [entry, is_new] = ids_.emplace(bytes, static_cast<std::int32_t>(tokens_.size()));
    if (is_new) {
      tokens_.push_back(bytes);
    }
    return entry->second;
  }

  void apply(std::span<const std::int32_t> words, std::int32_t left, std::int32_t right, std::int32_t id) {
    const PairKey merged = pair_key(left, right);
    for (const std::int32_t index : words) {
      Word& word = words_[static_cast<std::size_t>(index)];
      const auto symbols = std::span(symbols_).subspan(word.begin, word.size);
      if (!contains(symbols, left, right)) {
        continue;
      }
      count_pairs(index, -1);
      word.size = merge_symbols(symbols, left, right, id);
      count_pairs(index, 1);
    }
    pairs_.erase(merged);
    std::sort(changed_.begin(), changed_.end());
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    for (const PairKey pair : changed_) {
      const auto found = pairs_.find(pair);
      if (found != pairs_.end()) {
        push_if_positive(found->second.count, pair);
      }
    }
    changed_.clear();
  }

  static bool contains(std::span<const std::int32_t> symbols, std::int32_t left, std::int32_t right) {
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      if (symbols[i] == left && symbols[i + 1] == right) {
        return true;
      }
    }
    return false;
  }

  static std::size_t merge_symbols(std::span<std::int32_t> symbols, std::int32_t left, std::int32_t right,
                                   std::int32_t id) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const bool is_pair = i + 1 < symbols.size() && symbols[i] == left && symbols[i + 1] == right;
      symbols[size++] = is_pair ? id : symbols[i];
      i += is_pair ? 1 : 0;
    }
    return size;
  }

  // Adds (sign 1) or takes away (-1) the word's pairs. Pairs that grow are noted in changed_.
  void count_pairs(std::int32_t index, std::int64_t sign) {
    const Word& word = words_[static_cast<std::size_t>(index)];
    for (std::size_t i = 0; i + 1 < word.size; ++i) {
      const PairKey pair = pair_key(symbols_[word.begin + i], symbols_[word.begin + i + 1]);
      if (sign < 0) {
        const auto found = pairs_.find(pair);
        if (found != pairs_.end()) {  // the merged pair is gone already
          found->second.count -= word.count;
        }
        continue;
      }
      PairInfo& info = pairs_[pair];
      info.count += word.count;
      if (info.words.empty() || info.words.back() != index) {
        info.words.push_back(index);
      }
      changed_.push_back(pair);
    }
  }

  void push_if_positive(std::int64_t count, PairKey pair) {
    if (count > 0) {
      queue_.push({count, pair});
    }
  }

  std::vector<std::string>& tokens_;
  const std::unordered_set<std::string>& taken_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::vector<std::int32_t> symbols_;
  std::vector<Word> words_;
  std::unordered_map<PairKey, PairInfo> pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<PairKey> changed_;
};

Status check_options(const BpeTrainerOptions& options) {
  Faults faults;
  const auto num_special = static_cast<std::int64_t>(options.special_tokens.size());
  if (options.vocab_size < num_special + kNumBytes || options.vocab_size > kVocabSizeMax) {
    faults.add("vocab_size", fmt::format("{}", options.vocab_size),
               fmt::format("{} special tokens and {} bytes need room, and {} is the most", num_special,
                           kNumBytes, kVocabSizeMax),
               "choose a size in between");
  }
  std::unordered_set<std::string_view> seen;
  for (const std::string& token : options.special_tokens) {
    if (token.size() < 2 || !is_valid_utf8(token) || !seen.insert(token).second) {
      faults.add("special_tokens", token, "is shorter than two bytes, not UTF-8 or there twice",
                 "name each special token once");
    }
  }
  for (const std::string* token :
       {&options.bos_token, &options.eos_token, &options.pad_token, &options.unk_token}) {
    if (!token->empty() && !seen.contains(*token)) {
      faults.add("special_tokens", *token, "has a role but is not in the list",
                 "add it to the special tokens");
    }
  }
  return faults.to_status(StatusCode::kUsage, "the tokenizer cannot be trained");
}

}  // namespace

struct BpeTrainer::State {
  BpeTrainerOptions options;
  Pattern pattern;
  std::unordered_map<std::string, std::int64_t> word_counts;
  std::string key;  // reused for lookups
};

BpeTrainer::BpeTrainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
BpeTrainer::~BpeTrainer() = default;
BpeTrainer::BpeTrainer(BpeTrainer&&) noexcept = default;
BpeTrainer& BpeTrainer::operator=(BpeTrainer&&) noexcept = default;

Result<BpeTrainer> BpeTrainer::create(BpeTrainerOptions options) {
  TRY(check_options(options));
  auto state = std::make_unique<State>();
  state->pattern = *find_pattern(pattern_regex(options.pattern));
  state->options = std::move(options);
  return BpeTrainer(std::move(state));
}

Status BpeTrainer::add_text(std::string_view text) {
  if (const std::optional<std::size_t> wrong = find_invalid_utf8(text)) {
    return bad_data(fmt::format("the text is not UTF-8 at byte {}", *wrong));
  }
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = piece_end(state_->pattern, text, begin);
    state_->key.assign(text.substr(begin, end - begin));
    ++state_->word_counts[state_->key];
    begin = end;
  }
  if (static_cast<std::int64_t>(state_->word_counts.size()) > state_->options.words_max) {
    return bad_data(fmt::format("the texts have more than {} distinct words; train on a sample of them",
                                format_count(state_->options.words_max)));
  }
  return ok_status();
}

Result<TrainedTokenizer> BpeTrainer::train() const {
  const BpeTrainerOptions& options = state_->options;
  // Ids: special tokens, then the bytes in the order of their letters, then what is learned.
  std::vector<std::string> tokens(options.special_tokens.size());  // bytes; special tokens stand for none
  std::vector<std::int32_t> byte_ids(kNumBytes);
  for (char32_t letter = 0; letter < kByteLetterEnd; ++letter) {
    const int byte = letter_to_byte(letter);
    if (byte >= 0) {
      byte_ids[static_cast<std::size_t>(byte)] = static_cast<std::int32_t>(tokens.size());
      tokens.emplace_back(1, static_cast<char>(byte));
    }
  }
  std::unordered_set<std::string> taken;
  for (const std::string& token : options.special_tokens) {
    taken.insert(letters_to_bytes(token).value_or(token));
  }
  // Sorted, so that nothing depends on the order of a hash table.
  std::vector<std::pair<std::string_view, std::int64_t>> words(state_->word_counts.begin(),
                                                               state_->word_counts.end());
  std::sort(words.begin(), words.end());
  Learner learner(tokens, taken);
  for (const auto& [word, count] : words) {
    learner.add_word(word, count, byte_ids);
  }
  const std::vector<LearnedMerge> merges = learner.learn(options.vocab_size, options.min_frequency);
  return write_tokenizer_files(options, tokens, merges);
}

}  // namespace cairn::tokenizer
