// Writes the files of a byte-level BPE tokenizer as the Hugging Face libraries read them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/live_merges.h"

namespace cairn::tokenizer {

// Which special token has which role; "" for none. The names are those of Apertus.
struct TokenRoles {
  std::string bos = "<s>";   // the template puts it before every text
  std::string eos = "</s>";  // named in tokenizer_config.json, added by who knows where documents end
  std::string pad = "<pad>";
  std::string unk = "<unk>";
};

// What the files are written from.
struct TokenizerParts {
  std::span<const std::string> special_tokens;  // ids from 0; a text that spells one out has it
  TokenRoles roles;
  std::string_view regex;              // the pattern of the pre-tokenizer
  std::span<const std::string> bytes;  // bytes[i]: what token i stands for; not looked at for special tokens
  std::span<const BpeMerge> merges;    // in the order of their ranks
  bool ignore_merges = false;          // a piece that is a token as it stands is not merged
};

struct TokenizerFiles {
  std::string tokenizer_json;
  std::string tokenizer_config_json;
  std::string special_tokens_map_json;
};

TokenizerFiles write_tokenizer_files(const TokenizerParts& parts);

}  // namespace cairn::tokenizer
