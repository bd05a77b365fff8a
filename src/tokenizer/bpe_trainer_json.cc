#include "tokenizer/bpe_trainer_json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizer.h"

namespace cairn::tokenizer {
namespace {

Json added_token(const std::string& content) {
  return {{"content", content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},    {"normalized", false},  {"special", true}};
}

Json byte_level(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json pre_tokenizer(PatternStyle style) {
  if (style == PatternStyle::kGpt2) {
    return byte_level(false, true);
  }
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", std::string(pattern_regex(style))}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false, false)})}};
}

// Puts BOS before every text. EOS is left to who knows where documents end.
Json post_processor(const BpeTrainerOptions& options) {
  if (options.bos_token.empty()) {
    return nullptr;
  }
  const auto place =
      std::find(options.special_tokens.begin(), options.special_tokens.end(), options.bos_token);
  const auto id = static_cast<std::int64_t>(place - options.special_tokens.begin());
  const auto special = [&](int type) {
    return Json{{"SpecialToken", {{"id", options.bos_token}, {"type_id", type}}}};
  };
  const auto sequence = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  Json tokens = Json::object();
  tokens[options.bos_token] = {
      {"id", options.bos_token}, {"ids", Json::array({id})}, {"tokens", Json::array({options.bos_token})}};
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({special(0), sequence("A", 0)})},
          {"pair", Json::array({special(0), sequence("A", 0), special(1), sequence("B", 1)})},
          {"special_tokens", tokens}};
}

// The roles that have a token, as both small files state them.
Json role_tokens(const BpeTrainerOptions& options) {
  Json roles = Json::object();
  for (const auto& [role, token] : {std::pair("bos_token", options.bos_token),
                                    {"eos_token", options.eos_token},
                                    {"pad_token", options.pad_token},
                                    {"unk_token", options.unk_token}}) {
    if (!token.empty()) {
      roles[role] = token;
    }
  }
  return roles;
}

Json model(const BpeTrainerOptions& options, std::span<const std::string> names,
           std::span<const LearnedMerge> merges) {
  Json vocabulary = Json::object();
  auto& members = vocabulary.get_ref<Json::object_t&>();
  members.reserve(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    // Straight into the vector: an ordered object would look each name up among all before it.
    static_cast<std::vector<Json::object_t::value_type>&>(members).emplace_back(names[i], i);
  }
  Json pairs = Json::array();
  for (const LearnedMerge& merge : merges) {
    pairs.push_back(Json::array(
        {names[static_cast<std::size_t>(merge.left)], names[static_cast<std::size_t>(merge.right)]}));
  }
  Json unknown = nullptr;
  if (!options.unk_token.empty()) {
    unknown = options.unk_token;
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", vocabulary},
          {"merges", pairs}};
}

}  // namespace

std::string_view pattern_regex(PatternStyle style) {
  switch (style) {
    case PatternStyle::kGpt2:
      return kGpt2Regex;
    case PatternStyle::kLlama3:
      return kLlama3Regex;
    case PatternStyle::kQwen:
      return kQwenRegex;
    case PatternStyle::kTekken:
      return kTekkenRegex;
    case PatternStyle::kO200k:
      break;
  }
  return kO200kRegex;
}

TrainedTokenizer write_tokenizer_files(const BpeTrainerOptions& options, std::span<const std::string> tokens,
                                       std::span<const LearnedMerge> merges) {
  const std::size_t num_special = options.special_tokens.size();
  std::vector<std::string> names = options.special_tokens;
  for (const std::string& bytes : tokens.subspan(num_special)) {
    names.push_back(bytes_to_letters(bytes));
  }
  Json added = Json::array();
  Json decoder = Json::object();
  for (std::size_t i = 0; i < num_special; ++i) {
    Json entry = {{"id", i}};
    entry.update(added_token(options.special_tokens[i]));
    added.push_back(entry);
    decoder[std::to_string(i)] = added_token(options.special_tokens[i]);
  }
  const Json root = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", pre_tokenizer(options.pattern)},
                     {"post_processor", post_processor(options)},
                     {"decoder", byte_level(true, true)},
                     {"model", model(options, names, merges)}};
  Json config = {{"added_tokens_decoder", decoder}};
  config.update(role_tokens(options));
  config["clean_up_tokenization_spaces"] = false;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  TrainedTokenizer trained;
  trained.tokenizer_json = json_to_text(root, 2) + "\n";
  trained.tokenizer_config_json = json_to_text(config, 2) + "\n";
  trained.special_tokens_map_json = json_to_text(role_tokens(options), 2) + "\n";
  trained.vocab_size = static_cast<std::int64_t>(names.size());
  trained.num_merges = static_cast<std::int64_t>(merges.size());
  return trained;
}

}  // namespace cairn::tokenizer
