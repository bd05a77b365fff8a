// The member "model" of a tokenizer.json: vocabulary and merges, nearly all of the file's bytes. They are read straight
// from the text; as JSON values they would take ten times as long. Include it in .cc files only, as formats/json.h.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/file_faults.h"
#include "tokenizer/tokenizer_data.h"

namespace cairn::tokenizer {

// A tokenizer.json whose large members are cut out: in `root` an object stands as {} and a list as [] for them, here
// as they are written, "" for one that is absent. Borrowed from the text.
struct CutTokenizerJson {
  Json root;
  std::string_view vocabulary;
  std::string_view merges;
};
// kBadData when the text is no JSON, too long or too deep, or has a member twice (but in the large members).
Result<CutTokenizerJson> cut_tokenizer_json(std::string_view text);

// Fills the model and the tokens of `data`; the text must outlive this.
class ModelReader {
 public:
  ModelReader(TokenizerData& data, FileFaults& faults) : data_(data), faults_(faults) {}

  void read(const CutTokenizerJson& file);

  // The id of a token of the vocabulary, -1 for none.
  std::int32_t find_token(std::string_view token) const { return ids_.find(token); }
  std::int64_t vocabulary_size() const { return vocabulary_size_; }
  // The tables that point into data.tokens. REQUIRES no faults and that the tokens never move again.
  void build_tables();

 private:
  void read_switches(const Json& model);
  void read_vocabulary(std::string_view text);
  void read_tokens();
  void read_token(std::string_view token, std::string_view id);
  void read_bytes();
  void read_merges(std::string_view text);
  std::int32_t find_merged(std::string_view token);
  void build_pieces();
  void add_merges();
  void add_merge(const std::array<std::string_view, 2>& parts, BpeMerge merge, std::size_t rank);

  TokenizerData& data_;
  FileFaults& faults_;
  std::deque<std::string> unescaped_;  // tokens that are not written as they are
  BytesTable ids_;                     // of the vocabulary, by the tokens as written
  std::vector<std::pair<std::string_view, std::string_view>>
      tokens_ahead_;  // and their ids, still to be read
  std::int64_t vocabulary_size_ = 0;
  bool ignores_merges_ = false;
  // Merges whose parts are still to be found.
  std::vector<std::string_view> merge_parts_;
  std::vector<std::size_t> merge_ranks_;
  std::string joined_;  // reused
  std::int32_t last_merged_ = -1;
};

}  // namespace cairn::tokenizer
