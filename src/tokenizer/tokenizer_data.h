// The parsed content of a tokenizer.json: what tokenizer_json.cc fills in and tokenizer.cc works with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe_model.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/splitter.h"

namespace cairn::tokenizer {

struct TokenEntry {
  std::string content;  // as written in the file
  std::string bytes;    // what it decodes to
  bool is_used = false;
  bool is_special = false;
};

struct TokenizerData {
  // Normaliser and pre-tokenizer.
  bool has_nfc = false;
  std::optional<Splitter> splitter;   // cuts the text first, when the pattern alone does not
  bool adds_prefix_space = false;     // a space before ...
  bool prefixes_every_piece = false;  // ... each piece of the pattern, not each stretch of text
  Pattern pattern;
  // Model.
  BpeModel model;
  // Added tokens looked for in the raw text, then in the normalised text.
  AddedTokenMatcher raw_matcher;
  AddedTokenMatcher normalized_matcher;
  // Post-processor.
  std::vector<std::int32_t> template_prefix;
  std::vector<std::int32_t> template_suffix;
  // Indexed by id. Never changes after parsing: the tables in the model point into it.
  std::vector<TokenEntry> tokens;
  // Special tokens with the customary spellings.
  std::optional<std::int32_t> bos_id;
  std::optional<std::int32_t> eos_id;
  std::optional<std::int32_t> pad_id;
};

// Fills `data` from the text of a tokenizer.json; kBadData lists all faults.
Status parse_tokenizer_json(std::string_view text, TokenizerData& data);

}  // namespace cairn::tokenizer
