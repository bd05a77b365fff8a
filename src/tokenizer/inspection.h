// What a tokenizer does to texts, for people who choose one: fertility by language, the words it cuts up most, the
// tokens it never uses. Not thread-safe.
//
// A word is a run of characters without white space, encoded as it stands: with the space before it, when there is
// one. Languages that are written without spaces have words of sentence length; characters per token compares those.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "tokenizer/tokenizer.h"

namespace cairn::tokenizer {

struct TextFigures {
  std::int64_t documents = 0;
  std::int64_t bytes = 0;
  std::int64_t characters = 0;  // code points
  std::int64_t tokens = 0;      // of the whole texts, without the template's
  std::int64_t words = 0;
  std::int64_t word_tokens = 0;      // of the words one by one
  std::int64_t continued_words = 0;  // of more than one token

  // Ratios; 0 when there is nothing to divide by.
  double tokens_per_word() const;
  double bytes_per_token() const;
  double characters_per_token() const;
  double continued_share() const;
};

struct CutWord {
  std::string word;  // with the space before it, if any
  std::int64_t tokens = 0;
  std::int64_t count = 0;
};

class Inspection {
 public:
  // Different words that are remembered for each language. Later ones are in the figures, but not in worst_words().
  static constexpr std::size_t kWordsMax = std::size_t{1} << 20;

  explicit Inspection(Tokenizer tokenizer);

  // kBadData naming the byte offset when the text is not UTF-8.
  Status add_text(const std::string& language, std::string_view text);

  const std::map<std::string, TextFigures>& languages() const { return figures_; }
  TextFigures all() const;  // of all languages together
  // The words with the most tokens that came `count_min` times or more; then the more frequent, then in byte order.
  std::vector<CutWord> worst_words(const std::string& language, std::size_t num_words,
                                   std::int64_t count_min) const;
  // Tokens that are neither special nor in any text, in the order of their ids.
  std::vector<std::int32_t> unused_tokens() const;

 private:
  struct Seen {
    std::int64_t tokens = 0;
    std::int64_t count = 0;
  };
  using Words = std::unordered_map<std::string, Seen>;

  Status add_word(std::string_view word, Words& words, TextFigures& figures);

  Tokenizer tokenizer_;
  Encoder encoder_;
  std::vector<std::int32_t> ids_;  // reused, as is the key
  std::string key_;
  std::vector<bool> is_used_;  // by id
  std::map<std::string, TextFigures> figures_;
  std::map<std::string, Words> words_;
};

// What cuts texts into words, from the text of a tokenizer.json: the name of a known style ("tekken"), a regular
// expression, several of them ("Digits, then gpt2"), or "none". kBadData when it is no JSON.
Result<std::string> pattern_of(std::string_view tokenizer_json);

}  // namespace cairn::tokenizer
