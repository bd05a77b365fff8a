// The ids of a document as they are stored: exactly one BOS in front and one EOS behind, whether or not the
// tokenizer's template adds them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tokenizer/tokenizer.h"

namespace cairn::data {

struct DocumentEnds {
  bool bos = true;  // only where the tokenizer has one
  bool eos = true;
};

class DocumentTokenizer {
 public:
  // kBadData when the tokenizer has no token for an EOS that is asked for: documents could not be told apart.
  static Result<DocumentTokenizer> create(tokenizer::Tokenizer tokenizer, DocumentEnds ends);

  // Overwrites `ids`. kBadData where the text is not UTF-8.
  Status encode(std::string_view text, std::vector<std::int32_t>& ids);
  const tokenizer::Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  DocumentTokenizer(tokenizer::Tokenizer tokenizer, std::vector<std::int32_t> prefix,
                    std::vector<std::int32_t> suffix);

  tokenizer::Tokenizer tokenizer_;
  tokenizer::Encoder encoder_;
  std::vector<std::int32_t> prefix_;
  std::vector<std::int32_t> suffix_;
};

}  // namespace cairn::data
