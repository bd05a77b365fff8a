// Learns the merges of a byte-level BPE from counted words. Merge order: highest pair count first, ties by the lowest
// (left id, right id), as the reference trainer has it.
//
// A pair's count is highest right after the merge that made it and only falls afterwards: a string between two token
// borders is always cut into the same tokens, so it is made by one pair only, and its occurrences are all made in one
// pass. So a pair has its list of words written once, with its final size; a pair below the least frequency is never
// kept; and the queue holds upper bounds, put right when they come to the top.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "tokenizer/tokenizer_files.h"

namespace cairn::tokenizer {

struct BpeLearnerOptions {
  std::int64_t vocab_size = 0;
  std::int64_t min_frequency = 0;  // least count of a pair that is merged; 0 and 1 are the same
  std::int64_t token_length_max =
      0;                // 0: any; else no merge of a learned token makes one of this many bytes or more
  int num_threads = 1;  // changes nothing but the time
  std::function<void(std::int64_t done, std::int64_t total)> on_progress = {};  // in tokens; may be empty
};

class BpeLearner {
 public:
  BpeLearner();
  ~BpeLearner();
  BpeLearner(BpeLearner&&) noexcept;
  BpeLearner& operator=(BpeLearner&&) noexcept;

  // False when there is no place for the word: all words, 3 for each and 1 for each byte, have 2^32 - 1.
  // REQUIRES a word that was not added before, and a count above 0.
  bool add_word(std::string_view bytes, std::int64_t count);
  std::int64_t num_words() const;
  std::int64_t num_bytes() const;  // of the words
  // What learning from so many words with so many bytes takes at most, but for the table of pairs.
  static std::int64_t memory_bytes(std::int64_t num_words, std::int64_t num_bytes) {
    return 12 * num_words + 16 * num_bytes;
  }
  // `tokens`: the bytes of every token so far; those learned are appended. byte_ids[b]: the token of byte b.
  // `taken`: strings that no merge makes. Uses the words up: called once.
  std::vector<BpeMerge> learn(const BpeLearnerOptions& options, std::span<const std::int32_t> byte_ids,
                              const std::unordered_set<std::string>& taken, std::vector<std::string>& tokens);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::tokenizer
