// Reads the member "pre_tokenizer" of a tokenizer.json. Include it in .cc files only, as formats/json.h.
#pragma once

#include "tokenizer/file_faults.h"
#include "tokenizer/tokenizer_data.h"

namespace cairn::tokenizer {

// Fills pattern, splitter, adds_prefix_space and prefixes_every_piece of `data`. Accepted is ByteLevel, alone or as the last
// step of a Sequence (in Sequences or not) after steps Split and Digits; everything else is a fault by its name.
void read_pre_tokenizer(const Json& pre_tokenizer, TokenizerData& data, FileFaults& faults);

}  // namespace cairn::tokenizer
