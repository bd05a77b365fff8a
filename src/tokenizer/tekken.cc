#include "tokenizer/tekken.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "tokenizer/added_tokens.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/file_faults.h"
#include "tokenizer/tokenizer_data.h"

namespace cairn::tokenizer {
namespace {

constexpr JsonLimits kLimits{std::int64_t{64} << 20, 16};
constexpr std::int64_t kNumBytes = 256;
constexpr std::size_t kTokenBytesMax = 256;
constexpr std::int64_t kSpecialMax = 65'536;
constexpr std::string_view kSupported = "give a tekken file of version 3 to 15";

// The special tokens of files that name none.
constexpr std::array<std::string_view, 20> kOldSpecialTokens = {"<unk>",
                                                                "<s>",
                                                                "</s>",
                                                                "[INST]",
                                                                "[/INST]",
                                                                "[AVAILABLE_TOOLS]",
                                                                "[/AVAILABLE_TOOLS]",
                                                                "[TOOL_RESULTS]",
                                                                "[/TOOL_RESULTS]",
                                                                "[TOOL_CALLS]",
                                                                "[IMG]",
                                                                "<pad>",
                                                                "[IMG_BREAK]",
                                                                "[IMG_END]",
                                                                "[PREFIX]",
                                                                "[MIDDLE]",
                                                                "[SUFFIX]",
                                                                "[SYSTEM_PROMPT]",
                                                                "[/SYSTEM_PROMPT]",
                                                                "[TOOL_CONTENT]"};

// The value of a base64 letter, or -1.
int base64_digit(char c) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t place = kLetters.find(c);
  return place == std::string_view::npos ? -1 : static_cast<int>(place);
}

// Padded base64 (RFC 4648 section 4) without anything else; nothing when it is not that.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return std::nullopt;
  }
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool is_last = at + 4 == text.size();
    const int padding = !is_last || text[at + 3] != '=' ? 0 : text[at + 2] != '=' ? 1 : 2;
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const int digit = i >= static_cast<std::size_t>(4 - padding) ? 0 : base64_digit(text[at + i]);
      if (digit < 0) {
        return std::nullopt;
      }
      bits = bits << 6 | static_cast<std::uint32_t>(digit);
    }
    if ((bits & ((1U << (8 * padding)) - 1)) != 0) {
      return std::nullopt;  // bits behind the last byte
    }
    for (int i = 0; i < 3 - padding; ++i) {
      bytes.push_back(static_cast<char>(bits >> (16 - 8 * i) & 0xFF));
    }
  }
  return bytes;
}

// The rule of a tekken encoder, on the bytes of its own tokens.
class RankedTokens {
 public:
  // False when the bytes have a rank already. REQUIRES that they outlive this.
  bool add(std::string_view bytes, std::int32_t rank) { return ranks_.emplace(bytes, rank).second; }

  std::int32_t rank_of(std::string_view bytes) const {
    const auto found = ranks_.find(bytes);
    return found == ranks_.end() ? kNone : found->second;
  }

  // The two ranks whose join is the last one on the way to `token`; nothing when the way ends before.
  // REQUIRES a token of more than one byte, each byte a token. Quadratic in the token's size.
  std::optional<std::pair<std::int32_t, std::int32_t>> last_join(std::string_view token) {
    starts_.resize(token.size() + 1);
    for (std::size_t i = 0; i <= token.size(); ++i) {
      starts_[i] = i;
    }
    const auto joined = [&](std::size_t part) {  // the rank of this part with the next
      return part + 2 < starts_.size()
                 ? rank_of(token.substr(starts_[part], starts_[part + 2] - starts_[part]))
                 : kNone;
    };
    ranks_of_joins_.resize(token.size());
    for (std::size_t part = 0; part < token.size(); ++part) {
      ranks_of_joins_[part] = joined(part);
    }
    while (starts_.size() > 3) {
      const auto best = std::min_element(ranks_of_joins_.begin(), ranks_of_joins_.end());
      if (*best == kNone) {
        return std::nullopt;
      }
      const auto part = static_cast<std::size_t>(best - ranks_of_joins_.begin());
      starts_.erase(starts_.begin() + static_cast<std::ptrdiff_t>(part) + 1);
      ranks_of_joins_.erase(best);
      ranks_of_joins_[part] = joined(part);
      if (part > 0) {
        ranks_of_joins_[part - 1] = joined(part - 1);
      }
    }
    return std::pair(rank_of(token.substr(0, starts_[1])), rank_of(token.substr(starts_[1])));
  }

 private:
  static constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();
  std::unordered_map<std::string_view, std::int32_t> ranks_;
  // Of the token at hand: where its parts begin, and its end; the rank of each part with the next.
  std::vector<std::size_t> starts_;
  std::vector<std::int32_t> ranks_of_joins_;
};

class TekkenParser {
 public:
  explicit TekkenParser(FileFaults& faults) : faults_(faults) {}

  void parse(const Json& root);
  // REQUIRES a parse without faults.
  TekkenImport build();

 private:
  std::int64_t size_member(const Json& config, std::string_view key);
  void parse_config(const Json& config);
  void parse_special_tokens(const Json* list);
  void parse_vocabulary(const Json& list);
  void parse_token(const Json& entry, std::int64_t rank);
  std::string role(const char* name) const;

  FileFaults& faults_;
  std::string regex_;
  bool may_name_no_special_ = false;  // files of this version may leave the special tokens out
  std::int64_t num_special_ = 0;
  std::int64_t num_ranks_ = 0;
  std::vector<std::string> special_tokens_;
  std::unordered_set<std::string> special_set_;
  std::vector<std::string> bytes_;  // by id; empty for special tokens
  RankedTokens ranked_;
};

void TekkenParser::parse(const Json& root) {
  // What models do with images and sounds, and settings of chats, changes no id of a text.
  static constexpr std::array<std::string_view, 9> kKeys = {"config",     "vocab", "special_tokens",
                                                            "version",    "type",  "image",
                                                            "multimodal", "audio", "model_settings_builder"};
  const Json* config = find(root, "config");
  const Json* vocabulary = find(root, "vocab");
  if (config == nullptr || !config->is_object() || vocabulary == nullptr || !vocabulary->is_array()) {
    faults_.add("the file", std::string(json_kind(root)), "has no object 'config' or no list 'vocab'",
                "give a tekken file");
    return;
  }
  faults_.check_keys("the file", root, kKeys);
  parse_config(*config);
  if (faults_.empty()) {
    parse_special_tokens(find(root, "special_tokens"));
    parse_vocabulary(*vocabulary);
  }
}

std::int64_t TekkenParser::size_member(const Json& config, std::string_view key) {
  const Json* value = find(config, key);
  const std::optional<std::int64_t> size = value == nullptr ? std::nullopt : as_int64(*value);
  if (!size || *size < 0 || *size >= kTokenIdEnd) {
    faults_.add(fmt::format("config.{}", key), value == nullptr ? "" : shown_json(*value),
                fmt::format("is not a number between 0 and {}", kTokenIdEnd - 1), "correct the file");
    return 0;
  }
  return *size;
}

void TekkenParser::parse_config(const Json& config) {
  static constexpr std::array<std::string_view, 5> kKeys = {
      "pattern", "num_vocab_tokens", "default_vocab_size", "default_num_special_tokens", "version"};
  static constexpr std::array<std::string_view, 5> kVersions = {"v3", "v7", "v11", "v13", "v15"};
  faults_.check_keys("config", config, kKeys);
  const Json* pattern = find(config, "pattern");
  if (pattern == nullptr || as_string(*pattern).value_or("").empty()) {
    faults_.add("config.pattern", pattern == nullptr ? "" : shown_json(*pattern),
                "is not a regular expression", "correct the file");
  } else if (regex_ = *as_string(*pattern); !find_pattern(regex_)) {
    // Of what has no scanner the same spelling can mean one thing in a tekken file, another in a tokenizer.json.
    faults_.add("config.pattern", shown(regex_), "is not a known pattern", "use a file of Mistral");
  }
  const Json* version = find(config, "version");
  const std::string_view named = version == nullptr ? "" : as_string(*version).value_or("");
  if (std::find(kVersions.begin(), kVersions.end(), named) == kVersions.end()) {
    faults_.add("config.version", version == nullptr ? "" : shown_json(*version), "is not a known version",
                fmt::format("known are {}", fmt::join(kVersions, ", ")));
  }
  may_name_no_special_ = named == "v3" || named == "v7";
  const std::int64_t vocab_size = size_member(config, "default_vocab_size");
  num_special_ = size_member(config, "default_num_special_tokens");
  num_ranks_ = vocab_size - num_special_;
  if (faults_.empty() && (num_special_ > kSpecialMax || num_ranks_ < kNumBytes)) {
    faults_.add("config.default_num_special_tokens", fmt::format("{}", num_special_),
                fmt::format("is more than {}, or leaves fewer than {} of {} tokens for the bytes",
                            kSpecialMax, kNumBytes, vocab_size),
                "correct the file");
  }
}

void TekkenParser::parse_special_tokens(const Json* list) {
  if (list == nullptr || list->is_null()) {
    if (may_name_no_special_) {
      special_tokens_.assign(kOldSpecialTokens.begin(), kOldSpecialTokens.end());
    } else {
      faults_.add("special_tokens", "", "is missing: only files of version 7 and older may leave it out",
                  "name the special tokens");
    }
  } else if (!list->is_array()) {
    faults_.add("special_tokens", shown_json(*list), "is not a list", "correct the file");
  } else {
    static constexpr std::array<std::string_view, 3> kKeys = {"rank", "token_str", "is_control"};
    for (const Json& entry : *list) {
      const std::string field = fmt::format("special_tokens[{}]", special_tokens_.size());
      faults_.check_keys(field, entry, kKeys);
      const Json* rank = find(entry, "rank");
      const Json* name = find(entry, "token_str");
      const bool is_ranked =
          rank != nullptr && as_int64(*rank) == static_cast<std::int64_t>(special_tokens_.size());
      const std::string_view content = name == nullptr ? "" : as_string(*name).value_or("");
      if (!is_ranked || content.empty() || content.size() > AddedTokenMatcher::kContentBytesMax) {
        faults_.add(field, shown_json(entry),
                    fmt::format("has another rank than its place, or no token_str of at most {} bytes",
                                AddedTokenMatcher::kContentBytesMax),
                    "correct the file");
      }
      special_tokens_.emplace_back(content);
    }
  }
  if (static_cast<std::int64_t>(special_tokens_.size()) > num_special_) {
    faults_.add("special_tokens", fmt::format("{} tokens", special_tokens_.size()),
                fmt::format("are more than config.default_num_special_tokens, {}", num_special_),
                "correct the file");
    return;
  }
  while (static_cast<std::int64_t>(special_tokens_.size()) < num_special_) {
    special_tokens_.push_back(fmt::format("<SPECIAL_{}>", special_tokens_.size()));
  }
  for (const std::string& token : special_tokens_) {
    if (!special_set_.insert(token).second) {
      faults_.add("special_tokens", shown(token), "is there twice", "name each special token once");
    }
  }
}

void TekkenParser::parse_vocabulary(const Json& list) {
  if (static_cast<std::int64_t>(list.size()) < num_ranks_) {
    faults_.add("vocab", fmt::format("{} tokens", list.size()),
                fmt::format("are fewer than config asks for, {}", num_ranks_), "correct the file");
    return;
  }
  // Reserved, so that no string moves: the ranks are found by views into them.
  bytes_.reserve(static_cast<std::size_t>(num_special_ + num_ranks_));
  bytes_.resize(static_cast<std::size_t>(num_special_));
  std::int64_t rank = 0;
  for (const Json& entry : list) {
    if (rank == num_ranks_) {
      break;  // the file has more than the vocabulary takes
    }
    parse_token(entry, rank++);
  }
}

void TekkenParser::parse_token(const Json& entry, std::int64_t rank) {
  static constexpr std::array<std::string_view, 3> kKeys = {"rank", "token_bytes", "token_str"};
  const std::string field = fmt::format("vocab[{}]", rank);
  faults_.check_keys(field, entry, kKeys);
  const Json* stated = find(entry, "rank");
  const Json* encoded = find(entry, "token_bytes");
  const std::optional<std::string> bytes =
      encoded == nullptr ? std::nullopt : decode_base64(as_string(*encoded).value_or(""));
  if (stated == nullptr || as_int64(*stated) != rank || !bytes || bytes->empty() ||
      bytes->size() > kTokenBytesMax) {
    faults_.add(field, shown_json(entry),
                fmt::format("has another rank than its place, or no token_bytes of 1 to {} bytes in base64",
                            kTokenBytesMax),
                "correct the file");
    return;
  }
  if (rank < kNumBytes && (bytes->size() != 1 || static_cast<unsigned char>(bytes->front()) != rank)) {
    faults_.add(field, shown_json(*encoded), fmt::format("is not the byte {}", rank),
                "put the 256 bytes first");
    return;
  }
  if (special_set_.contains(bytes_to_letters(*bytes))) {
    faults_.add(field, shown_json(*encoded),
                "is written like a special token in tokenizer.json, which knows one of the two",
                "rename the special token");
    return;
  }
  bytes_.push_back(*bytes);
  if (!ranked_.add(bytes_.back(), static_cast<std::int32_t>(rank))) {
    faults_.add(field, shown_json(*encoded), "is there twice", "give each token one rank");
  }
}

std::string TekkenParser::role(const char* name) const {
  return special_set_.contains(name) ? name : "";
}

TekkenImport TekkenParser::build() {
  std::vector<BpeMerge> merges;
  const auto shift = static_cast<std::int32_t>(num_special_);
  for (auto id = shift + static_cast<std::int32_t>(kNumBytes); id < static_cast<std::int32_t>(bytes_.size());
       ++id) {
    if (const auto join = ranked_.last_join(bytes_[static_cast<std::size_t>(id)])) {
      merges.push_back({shift + join->first, shift + join->second, id});
    }
  }
  TekkenImport imported;
  imported.files = write_tokenizer_files({.special_tokens = special_tokens_,
                                          .roles = {role("<s>"), role("</s>"), role("<pad>"), role("<unk>")},
                                          .regex = regex_,
                                          .bytes = bytes_,
                                          .merges = merges,
                                          .ignore_merges = true});
  imported.vocab_size = num_special_ + num_ranks_;
  imported.num_special = num_special_;
  imported.num_merges = static_cast<std::int64_t>(merges.size());
  return imported;
}

}  // namespace

Result<TekkenImport> import_tekken(std::string_view text) {
  TRY_ASSIGN(const Json root, parse_json(text, kLimits));
  Faults faults;
  FileFaults file_faults(faults, kSupported);
  TekkenParser parser(file_faults);
  parser.parse(root);
  TRY(faults.to_status(StatusCode::kBadData, "the tekken file cannot be imported"));
  return parser.build();
}

}  // namespace cairn::tokenizer
