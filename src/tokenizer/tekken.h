// Mistral's tekken files ("tekken.json": byte strings by rank, no merges) turned into tokenizer.json.
//
// A tekken encoder joins, in each piece of text, the neighbours whose bytes together have the lowest rank, the
// leftmost first, and takes a piece that is a token as it stands. The merges that give the same ids: for each token
// the last join of that rule on the token's own bytes. It is the only join that can ever make the token in any text:
// until it is made nothing has been joined across its ends, so inside them the rule went the same way. So one merge a
// token, in the order of the ranks, with ignore_merges, is the same encoder, not an approximation. Tokens that the
// rule does not reach have no merge and are found as whole pieces only.
#pragma once

#include <string_view>

#include "base/status.h"
#include "tokenizer/tokenizer_files.h"

namespace cairn::tokenizer {

struct TekkenImport {
  TokenizerFiles files;
  std::int64_t vocab_size = 0;
  std::int64_t num_special = 0;  // ids from 0; the ranks follow
  std::int64_t num_merges = 0;
};

// Reads the text of a tekken file, cut to its default size as mistral-common does. kBadData lists every fault.
// Special tokens without a name are called <SPECIAL_n>. Files of version 7 and older that name none have the 20 of
// the Mistral models. BOS, EOS, padding and unknown are <s>, </s>, <pad> and <unk> where they exist.
// Time is bounded by the size of the file: at most 64 MiB, tokens of at most 256 bytes.
Result<TekkenImport> import_tekken(std::string_view text);

}  // namespace cairn::tokenizer
