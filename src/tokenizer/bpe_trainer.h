// Trains a byte-level BPE vocabulary and writes it in the tokenizer.json format.
// Deterministic: the result depends on the texts and the options alone. Merge order: highest pair count
// first, ties by the lowest (left id, right id); the same rule as the reference trainer.
// Memory is bounded by the number of distinct words (words_max), not by the amount of text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cairn::tokenizer {

enum class PatternStyle : std::uint8_t { kGpt2, kLlama3, kQwen, kTekken, kO200k };

struct BpeTrainerOptions {
  std::int64_t vocab_size = 0;  // all tokens: special ones, 256 bytes, merges
  std::int64_t min_frequency = 2;
  PatternStyle pattern = PatternStyle::kTekken;
  // Ids from 0 in this order. The first four names are those of Apertus: bos 1, eos 2, pad 3.
  std::vector<std::string> special_tokens = {"<unk>", "<s>", "</s>", "<pad>"};
  std::string bos_token = "<s>";   // "" for none; the template puts it before every text
  std::string eos_token = "</s>";  // "" for none; named in tokenizer_config.json, added by the data plane
  std::string pad_token = "<pad>";
  std::string unk_token = "<unk>";
  // Distinct words kept while counting; a corpus with more is refused (kBadData) rather than thinned out.
  std::int64_t words_max = 20'000'000;
};

// The three files of a trained tokenizer.
struct TrainedTokenizer {
  std::string tokenizer_json;
  std::string tokenizer_config_json;
  std::string special_tokens_map_json;
  std::int64_t vocab_size = 0;  // may be less than asked for when the text has no more pairs
  std::int64_t num_merges = 0;
};

class BpeTrainer {
 public:
  static Result<BpeTrainer> create(BpeTrainerOptions options);  // kUsage lists every fault
  ~BpeTrainer();
  BpeTrainer(BpeTrainer&&) noexcept;
  BpeTrainer& operator=(BpeTrainer&&) noexcept;

  // Counts the words of one text (one document, or one line: the pattern never crosses a call).
  // kBadData naming the byte offset when it is not UTF-8.
  Status add_text(std::string_view text);
  // Learns the merges and writes the files.
  Result<TrainedTokenizer> train() const;

 private:
  struct State;
  explicit BpeTrainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cairn::tokenizer
