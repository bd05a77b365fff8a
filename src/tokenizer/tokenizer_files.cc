#include "tokenizer/tokenizer_files.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizer.h"

namespace cairn::tokenizer {
namespace {

// Straight into the object's vector: by its own means it would look each name up among all before it.
// REQUIRES a name that is not there yet.
void append_member(Json& object, const std::string& name, Json value) {
  auto& members = object.get_ref<Json::object_t&>();
  static_cast<std::vector<Json::object_t::value_type>&>(members).emplace_back(name, std::move(value));
}

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

Json pre_tokenizer(std::string_view regex) {
  if (regex == kGpt2Regex) {
    return byte_level(false, true);
  }
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", std::string(regex)}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false, false)})}};
}

// Puts BOS before every text. EOS is left to who knows where documents end.
Json post_processor(const TokenizerParts& parts) {
  const std::string& bos = parts.roles.bos;
  if (bos.empty()) {
    return nullptr;
  }
  const auto place = std::find(parts.special_tokens.begin(), parts.special_tokens.end(), bos);
  const auto id = static_cast<std::int64_t>(place - parts.special_tokens.begin());
  const auto special = [&](int type) { return Json{{"SpecialToken", {{"id", bos}, {"type_id", type}}}}; };
  const auto sequence = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  Json tokens = Json::object();
  tokens[bos] = {{"id", bos}, {"ids", Json::array({id})}, {"tokens", Json::array({bos})}};
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({special(0), sequence("A", 0)})},
          {"pair", Json::array({special(0), sequence("A", 0), special(1), sequence("B", 1)})},
          {"special_tokens", tokens}};
}

// The roles that have a token, as both small files state them.
Json role_tokens(const TokenRoles& roles) {
  Json tokens = Json::object();
  for (const auto& [role, token] : {std::pair("bos_token", roles.bos),
                                    {"eos_token", roles.eos},
                                    {"pad_token", roles.pad},
                                    {"unk_token", roles.unk}}) {
    if (!token.empty()) {
      tokens[role] = token;
    }
  }
  return tokens;
}

Json model(const TokenizerParts& parts, std::span<const std::string> names) {
  Json vocabulary = Json::object();
  for (std::size_t i = 0; i < names.size(); ++i) {
    append_member(vocabulary, names[i], i);
  }
  Json pairs = Json::array();
  for (const BpeMerge& merge : parts.merges) {
    pairs.push_back(Json::array(
        {names[static_cast<std::size_t>(merge.left)], names[static_cast<std::size_t>(merge.right)]}));
  }
  Json unknown = nullptr;
  if (!parts.roles.unk.empty()) {
    unknown = parts.roles.unk;
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", parts.ignore_merges},
          {"vocab", vocabulary},
          {"merges", pairs}};
}

}  // namespace

TokenizerFiles write_tokenizer_files(const TokenizerParts& parts) {
  const std::size_t num_special = parts.special_tokens.size();
  std::vector<std::string> names(parts.special_tokens.begin(), parts.special_tokens.end());
  for (const std::string& bytes : parts.bytes.subspan(num_special)) {
    names.push_back(bytes_to_letters(bytes));
  }
  Json added = Json::array();
  Json decoder = Json::object();
  for (std::size_t i = 0; i < num_special; ++i) {
    Json entry = {{"id", i}};
    entry.update(added_token(names[i]));
    added.push_back(entry);
    append_member(decoder, std::to_string(i), added_token(names[i]));
  }
  const Json root = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", pre_tokenizer(parts.regex)},
                     {"post_processor", post_processor(parts)},
                     {"decoder", byte_level(true, true)},
                     {"model", model(parts, names)}};
  Json config = {{"added_tokens_decoder", decoder}};
  config.update(role_tokens(parts.roles));
  config["clean_up_tokenization_spaces"] = false;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  return {json_to_text(root, 2) + "\n", json_to_text(config, 2) + "\n",
          json_to_text(role_tokens(parts.roles), 2) + "\n"};
}

}  // namespace cairn::tokenizer
