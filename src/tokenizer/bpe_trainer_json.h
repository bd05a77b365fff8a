// Writes the files of a trained tokenizer as the Hugging Face libraries read them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tokenizer/bpe_trainer.h"

namespace cairn::tokenizer {

struct LearnedMerge {
  std::int32_t left = -1;
  std::int32_t right = -1;
  std::int32_t id = -1;  // what the pair becomes
};

std::string_view pattern_regex(PatternStyle style);

// tokens[i]: the bytes of token i; those of special tokens are not looked at.
TrainedTokenizer write_tokenizer_files(const BpeTrainerOptions& options, std::span<const std::string> tokens,
                                       std::span<const LearnedMerge> merges);

}  // namespace cairn::tokenizer
