// Trains a byte-level BPE vocabulary and writes it in the tokenizer.json format: counts words (word_counter.h), learns
// merges (bpe_learner.h), writes files (tokenizer_files.h).
// Deterministic: the result depends on the texts and on the options that say so, never on threads or memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "doors/file_system.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer_files.h"

namespace cairn::tokenizer {

struct BpeTrainerOptions {
  std::int64_t vocab_size = 0;  // all tokens: special ones, 256 bytes, merges
  std::int64_t min_frequency = 2;
  // How texts are cut into words: a pattern with a name, or any that regex_syntax.h accepts. Those without a name are several
  // times slower, and one text is then the work of one thread.
  std::string regex = std::string(kTekkenRegex);
  // Ids from 0 in this order. The first four names are those of Apertus: bos 1, eos 2, pad 3.
  std::vector<std::string> special_tokens = {"<unk>", "<s>", "</s>", "<pad>"};
  TokenRoles roles;  // of tokens in the list
  // A learned token of two other tokens has fewer bytes than this; 0: any number. The reference's max_token_length.
  std::int64_t token_length_max = 0;
  // Words that come less often are left out. Above 1 a large corpus needs far less memory, at the price of pair counts
  // that lack its rare words.
  std::int64_t min_word_count = 1;

  // What follows changes how the result is reached, not the result.
  int num_threads = 1;
  // Memory for words. Those that do not fit for learning (12 bytes each and 16 for each of their bytes) are refused with
  // kBadData as soon as that is known. With a least word count, counting takes half of the memory and then goes on in
  // files, exactly: how large the corpus is does not matter. Each thread has about 20 MB besides, and the table of pairs
  // and the written files are not counted: some 100 MB for 131,072 tokens.
  std::int64_t memory_bytes = std::int64_t{4} << 30;
  FileSystem* files = nullptr;        // null: texts whose words do not fit are refused; outlives the trainer
  std::string folder_for_words = {};  // made and removed by the trainer when it needs one
};

// The regular expression of a style that has a name: gpt2, llama3, qwen, tekken, o200k.
std::optional<std::string_view> regex_of_style(std::string_view name);

struct TrainedTokenizer {
  TokenizerFiles files;
  std::int64_t num_words = 0;   // distinct ones that were learned from
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
  // kBadData naming the byte offset when it is not UTF-8; an error of the files, or of the pattern's steps, may be that of an
  // earlier text.
  Status add_text(std::string_view text);
  // Learns the merges and writes the files. Called once, after the last text. `on_progress`, in tokens, may be empty.
  Result<TrainedTokenizer> train(std::function<void(std::int64_t done, std::int64_t total)> on_progress = {});

 private:
  struct State;
  explicit BpeTrainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cairn::tokenizer
