#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/faults.h"
#include "base/text.h"
#include "formats/json.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/tokenizer_data.h"
#include "tokenizer/unicode.h"

namespace cairn::tokenizer {
namespace {

constexpr JsonLimits kLimits{std::int64_t{256} << 20, 32};
constexpr std::size_t kFaultsMax = 20;      // a wrong file can have one per entry
constexpr std::size_t kShownBytesMax = 80;  // of a value in a message
constexpr std::string_view kSupported =
    "supported are byte-level BPE models with the GPT-2, Llama 3, Qwen, tekken and o200k patterns";

std::string shown(std::string_view text) {
  return text.size() <= kShownBytesMax ? std::string(text)
                                       : replace_invalid_utf8(text.substr(0, kShownBytesMax)) + "...";
}
std::string shown_json(const Json& value) {
  return value.is_structured() ? std::string(json_kind(value)) : shown(json_to_text(value, -1));
}

// True for a UTF-8 lead or continuation byte that some text can contain.
bool is_text_byte(int byte) {
  return byte != 0xC0 && byte != 0xC1 && byte < 0xF5;
}

class Parser {
 public:
  Parser(TokenizerData& data, Faults& faults) : data_(data), faults_(faults) {}

  void parse(const Json& root);

 private:
  void fault(std::string field, std::string value, std::string reason, std::string fix);
  void refuse(const std::string& field, const Json& value);
  // Refuses every member of `object` that is not in `known`.
  void check_keys(const std::string& field, const Json& object, std::span<const std::string_view> known);
  bool flag(const std::string& field, const Json& object, std::string_view key, bool missing);
  std::string_view text(const Json& object, std::string_view key);
  bool is_null_or_empty(const Json& object, std::string_view key);

  void parse_model(const Json& model);
  void parse_vocabulary(const Json& vocabulary);
  void parse_bytes();
  void parse_merges(const Json& merges);
  void parse_merge(const Json& merge, std::int32_t rank);
  void parse_added_tokens(const Json& list);
  void parse_added_token(const std::string& field, const Json& entry);
  std::int64_t expected_id(const std::string& content) const;
  void parse_normalizer(const std::string& field, const Json& normalizer);
  void parse_pre_tokenizer(const Json& pre_tokenizer);
  void parse_byte_level(const std::string& field, const Json& byte_level, bool is_in_sequence);
  void parse_split(const std::string& field, const Json& split);
  void parse_post_processor(const std::string& field, const Json& processor);
  void parse_template(const std::string& field, const Json& processor);
  void parse_template_item(const std::string& field, const Json& item, const Json& special_tokens);
  void parse_decoder(const std::string& field, const Json& decoder);
  void build_tables();

  TokenizerData& data_;
  Faults& faults_;
  std::unordered_map<std::string, std::int32_t> vocabulary_;
  std::vector<AddedToken> added_;
  std::unordered_map<std::string, std::int32_t> added_ids_;
  std::int64_t added_id_max_ = -1;
  bool has_byte_level_ = false;
  bool has_pattern_ = false;
  bool template_has_text_ = false;
};

void Parser::fault(std::string field, std::string value, std::string reason, std::string fix) {
  if (faults_.list().size() < kFaultsMax) {
    faults_.add(std::move(field), std::move(value), std::move(reason), std::move(fix));
  }
}

void Parser::refuse(const std::string& field, const Json& value) {
  fault(field, shown_json(value), "is not implemented", std::string(kSupported));
}

void Parser::check_keys(const std::string& field, const Json& object,
                        std::span<const std::string_view> known) {
  for (const auto& member : object.items()) {
    if (std::find(known.begin(), known.end(), member.key()) == known.end()) {
      fault(fmt::format("{}.{}", field, shown(member.key())), shown_json(member.value()),
            "is not a known field", std::string(kSupported));
    }
  }
}

bool Parser::flag(const std::string& field, const Json& object, std::string_view key, bool missing) {
  const Json* value = find(object, key);
  if (value == nullptr) {
    return missing;
  }
  const std::optional<bool> is_set = as_bool(*value);
  if (!is_set) {
    fault(fmt::format("{}.{}", field, key), shown_json(*value), "is not true or false", "correct the file");
  }
  return is_set.value_or(missing);
}

std::string_view Parser::text(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  return value == nullptr ? std::string_view() : as_string(*value).value_or(std::string_view());
}

bool Parser::is_null_or_empty(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  return value == nullptr || value->is_null() || as_string(*value) == std::string_view();
}

void Parser::parse(const Json& root) {
  static constexpr std::array<std::string_view, 9> kKeys = {"version",        "truncation", "padding",
                                                            "added_tokens",   "normalizer", "pre_tokenizer",
                                                            "post_processor", "decoder",    "model"};
  if (!root.is_object()) {
    fault("the file", std::string(json_kind(root)), "is not an object", "give a tokenizer.json");
    return;
  }
  check_keys("the file", root, kKeys);
  for (const std::string_view key : {"truncation", "padding"}) {
    const Json* value = find(root, key);
    if (value != nullptr && !value->is_null()) {
      refuse(std::string(key), *value);
    }
  }
  const Json null;
  const auto member = [&](std::string_view key) -> const Json& {
    const Json* value = find(root, key);
    return value == nullptr ? null : *value;
  };
  parse_model(member("model"));
  parse_normalizer("normalizer", member("normalizer"));
  parse_added_tokens(member("added_tokens"));
  parse_pre_tokenizer(member("pre_tokenizer"));
  parse_post_processor("post_processor", member("post_processor"));
  parse_decoder("decoder", member("decoder"));
  if (faults_.empty()) {
    build_tables();
  }
}

void Parser::parse_model(const Json& model) {
  static constexpr std::array<std::string_view, 10> kKeys = {"type",
                                                             "dropout",
                                                             "unk_token",
                                                             "continuing_subword_prefix",
                                                             "end_of_word_suffix",
                                                             "fuse_unk",
                                                             "byte_fallback",
                                                             "vocab",
                                                             "merges",
                                                             "ignore_merges"};
  const Json* vocabulary = find(model, "vocab");
  const Json* merges = find(model, "merges");
  if (!model.is_object() || vocabulary == nullptr || !vocabulary->is_object()) {
    fault("model.vocab", shown_json(model), "is missing or not an object",
          "give a tokenizer.json with a BPE model");
    return;
  }
  const Json* type = find(model, "type");
  if ((type != nullptr && as_string(*type) != "BPE") || merges == nullptr || !merges->is_array()) {
    fault("model.type", type == nullptr ? "" : shown_json(*type), "is no BPE model with merges",
          std::string(kSupported));
    return;
  }
  check_keys("model", model, kKeys);
  // An unknown token and how unknown ones are joined never matter: every byte has a token (parse_bytes).
  const Json* dropout = find(model, "dropout");
  if (dropout != nullptr && !dropout->is_null() && as_double(*dropout) != 0.0) {
    refuse("model.dropout", *dropout);
  }
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!is_null_or_empty(model, key)) {
      refuse(fmt::format("model.{}", key), *find(model, key));
    }
  }
  if (flag("model", model, "byte_fallback", false)) {
    refuse("model.byte_fallback", *find(model, "byte_fallback"));
  }
  data_.model.ignore_merges = flag("model", model, "ignore_merges", false);
  parse_vocabulary(*vocabulary);
  parse_bytes();
  if (faults_.empty()) {
    parse_merges(*merges);
  }
}

void Parser::parse_vocabulary(const Json& vocabulary) {
  vocabulary_.reserve(vocabulary.size());
  for (const auto& member : vocabulary.items()) {
    const std::string& token = member.key();
    const std::optional<std::int64_t> id = as_int64(member.value());
    if (!id || *id < 0 || *id >= kTokenIdEnd) {
      fault(fmt::format("model.vocab['{}']", shown(token)), shown_json(member.value()),
            fmt::format("is not an id between 0 and {}", kTokenIdEnd - 1), "correct the file");
      continue;
    }
    const auto index = static_cast<std::size_t>(*id);
    if (index >= data_.tokens.size()) {
      data_.tokens.resize(index + 1);
    }
    TokenEntry& entry = data_.tokens[index];
    if (entry.is_used) {
      fault(fmt::format("model.vocab['{}']", shown(token)), fmt::format("{}", *id),
            fmt::format("is the id of '{}' too", shown(entry.content)), "give every token its own id");
      continue;
    }
    entry = {token, letters_to_bytes(token).value_or(token), true, false};
    vocabulary_.emplace(token, static_cast<std::int32_t>(*id));
  }
}

void Parser::parse_bytes() {
  for (int byte = 0; byte < 256; ++byte) {
    std::string letter;
    append_utf8(letter, byte_to_letter(static_cast<std::uint8_t>(byte)));
    const auto found = vocabulary_.find(letter);
    data_.model.byte_ids[static_cast<std::size_t>(byte)] = found == vocabulary_.end() ? -1 : found->second;
    if (found == vocabulary_.end() && is_text_byte(byte)) {
      fault(fmt::format("model.vocab['{}']", letter), "",
            fmt::format("is missing: byte 0x{:02X} has no token, so the model is not byte-level", byte),
            std::string(kSupported));
    }
  }
}

void Parser::parse_merges(const Json& merges) {
  data_.model.merges.reserve(merges.size());
  std::int32_t rank = 0;
  for (const Json& merge : merges) {
    parse_merge(merge, rank++);
  }
}

void Parser::parse_merge(const Json& merge, std::int32_t rank) {
  std::string_view left;
  std::string_view right;
  if (const std::optional<std::string_view> joined = as_string(merge)) {
    const std::size_t space = joined->find(' ');
    if (space != std::string_view::npos && joined->find(' ', space + 1) == std::string_view::npos) {
      left = joined->substr(0, space);
      right = joined->substr(space + 1);
    }
  } else if (merge.is_array() && merge.size() == 2) {
    left = as_string(merge[0]).value_or(std::string_view());
    right = as_string(merge[1]).value_or(std::string_view());
  }
  const std::string field = fmt::format("model.merges[{}]", rank);
  if (left.empty() || right.empty()) {
    fault(field, shown_json(merge), "is not a pair of tokens", "write merges as \"a b\" or [\"a\", \"b\"]");
    return;
  }
  const std::array<std::string, 3> names = {std::string(left), std::string(right),
                                            std::string(left) + std::string(right)};
  std::array<std::int32_t, 3> ids{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto found = vocabulary_.find(names[i]);
    if (found == vocabulary_.end()) {
      fault(field, shown(names[i]), "is not in the vocabulary", "add the token or remove the merge");
      return;
    }
    ids[i] = found->second;
  }
  if (!data_.model.merges.add(ids[0], ids[1], {rank, ids[2]})) {
    fault(field, shown_json(merge), "is there twice", "remove one of the two");
  }
}

// The id that the reference gives an added token, whatever the file says.
std::int64_t Parser::expected_id(const std::string& content) const {
  const auto found = vocabulary_.find(content);
  if (found != vocabulary_.end()) {
    return found->second;
  }
  const auto size = static_cast<std::int64_t>(vocabulary_.size());
  return added_id_max_ >= size ? added_id_max_ + 1 : size;
}

void Parser::parse_added_tokens(const Json& list) {
  if (list.is_null()) {
    return;
  }
  if (!list.is_array()) {
    fault("added_tokens", shown_json(list), "is not a list", "correct the file");
    return;
  }
  std::size_t index = 0;
  for (const Json& entry : list) {
    parse_added_token(fmt::format("added_tokens[{}]", index++), entry);
  }
}

void Parser::parse_added_token(const std::string& field, const Json& entry) {
  static constexpr std::array<std::string_view, 7> kKeys = {"id",     "content",    "single_word", "lstrip",
                                                            "rstrip", "normalized", "special"};
  const Json* id_value = find(entry, "id");
  const std::optional<std::int64_t> id = id_value == nullptr ? std::nullopt : as_int64(*id_value);
  AddedToken token;
  token.content = std::string(text(entry, "content"));
  if (!id || *id < 0 || *id >= kTokenIdEnd || token.content.empty()) {
    fault(field, shown_json(entry), fmt::format("has no content or no id between 0 and {}", kTokenIdEnd - 1),
          "correct the file");
    return;
  }
  check_keys(field, entry, kKeys);
  if (token.content.size() > AddedTokenMatcher::kContentBytesMax) {
    fault(field, shown(token.content),
          fmt::format("is longer than {} bytes", AddedTokenMatcher::kContentBytesMax), "shorten the token");
    return;
  }
  if (*id != expected_id(token.content)) {
    fault(field, fmt::format("{}", *id),
          fmt::format("'{}' gets the id {} in the reference implementation", shown(token.content),
                      expected_id(token.content)),
          "number added tokens as in the vocabulary, new ones consecutively behind it");
    return;
  }
  token.id = static_cast<std::int32_t>(*id);
  token.special = flag(field, entry, "special", false);
  token.single_word = flag(field, entry, "single_word", false);
  token.lstrip = flag(field, entry, "lstrip", false);
  token.rstrip = flag(field, entry, "rstrip", false);
  token.normalized = flag(field, entry, "normalized", !token.special);
  if (token.normalized && data_.has_nfc && is_valid_utf8(token.content)) {
    // It is decoded so, too; and the reference no longer knows it as special when that changed it.
    const std::string normalized = normalize_nfc(token.content);
    token.special = token.special && normalized == token.content;
    token.content = normalized;
  }
  if (!added_ids_.emplace(token.content, token.id).second) {
    fault(field, shown(token.content), "is there twice", "remove one of the two");
    return;
  }
  added_id_max_ = std::max(added_id_max_, *id);
  if (static_cast<std::size_t>(*id) >= data_.tokens.size()) {
    data_.tokens.resize(static_cast<std::size_t>(*id) + 1);
  }
  data_.tokens[static_cast<std::size_t>(*id)] = {
      token.content, letters_to_bytes(token.content).value_or(token.content), true, token.special};
  added_.push_back(std::move(token));
}

void Parser::parse_normalizer(const std::string& field, const Json& normalizer) {
  if (normalizer.is_null()) {
    return;
  }
  const std::string_view type = text(normalizer, "type");
  const Json* list = find(normalizer, "normalizers");
  if (type == "NFC") {
    data_.has_nfc = true;
  } else if (type == "Sequence" && list != nullptr && list->is_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      parse_normalizer(fmt::format("{}.normalizers[{}]", field, i), (*list)[i]);
    }
  } else {
    fault(field, type.empty() ? shown_json(normalizer) : shown(type), "is not implemented",
          "use a tokenizer without normaliser or with NFC");
  }
}

void Parser::parse_pre_tokenizer(const Json& pre_tokenizer) {
  const std::string field = "pre_tokenizer";
  const std::string_view type = text(pre_tokenizer, "type");
  const Json* list = find(pre_tokenizer, "pretokenizers");
  if (type == "ByteLevel") {
    parse_byte_level(field, pre_tokenizer, false);
  } else if (type == "Sequence" && list != nullptr && list->is_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      const Json& part = (*list)[i];
      const std::string part_field = fmt::format("{}.pretokenizers[{}]", field, i);
      const std::string_view part_type = text(part, "type");
      if (part_type == "Split" && !has_pattern_ && !has_byte_level_) {
        parse_split(part_field, part);
      } else if (part_type == "ByteLevel" && !has_byte_level_) {
        parse_byte_level(part_field, part, has_pattern_);
      } else {
        fault(part_field, part_type.empty() ? shown_json(part) : shown(part_type), "is not implemented here",
              std::string(kSupported));
      }
    }
  } else if (!pre_tokenizer.is_null()) {
    fault(field, type.empty() ? shown_json(pre_tokenizer) : shown(type), "is not implemented",
          std::string(kSupported));
    return;
  }
  if (!has_byte_level_) {
    fault(field, "", "has no ByteLevel step, so the model is not byte-level", std::string(kSupported));
  }
}

void Parser::parse_byte_level(const std::string& field, const Json& byte_level, bool is_in_sequence) {
  static constexpr std::array<std::string_view, 4> kKeys = {"type", "add_prefix_space", "trim_offsets",
                                                            "use_regex"};
  check_keys(field, byte_level, kKeys);
  has_byte_level_ = true;
  data_.adds_prefix_space = flag(field, byte_level, "add_prefix_space", true);
  data_.prefixes_every_piece = is_in_sequence;
  if (!flag(field, byte_level, "use_regex", true)) {
    return;
  }
  if (has_pattern_) {
    fault(field + ".use_regex", "true", "a second pattern after Split is not implemented",
          std::string(kSupported));
  } else {
    data_.pattern = *find_pattern(kGpt2Regex);
  }
}

void Parser::parse_split(const std::string& field, const Json& split) {
  static constexpr std::array<std::string_view, 4> kKeys = {"type", "pattern", "behavior", "invert"};
  check_keys(field, split, kKeys);
  const Json* pattern = find(split, "pattern");
  const std::string_view regex = pattern == nullptr ? std::string_view() : text(*pattern, "Regex");
  const std::optional<Pattern> known = find_pattern(regex);
  if (!known) {
    fault(field + ".pattern", regex.empty() ? (pattern == nullptr ? "" : shown_json(*pattern)) : shown(regex),
          "is not a known pattern", std::string(kSupported));
    return;
  }
  // The known patterns match every character, so isolating the matches and removing the rest are the same.
  const std::string_view behavior = text(split, "behavior");
  const bool is_inverted = flag(field, split, "invert", false);
  if (!(behavior == "Isolated" || (behavior == "Removed" && is_inverted))) {
    fault(field + ".behavior", shown(behavior), "is not implemented", "use Isolated");
  }
  data_.pattern = *known;
  has_pattern_ = true;
}

void Parser::parse_post_processor(const std::string& field, const Json& processor) {
  if (processor.is_null()) {
    return;
  }
  const std::string_view type = text(processor, "type");
  const Json* list = find(processor, "processors");
  if (type == "TemplateProcessing") {
    parse_template(field, processor);
  } else if (type == "Sequence" && list != nullptr && list->is_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      parse_post_processor(fmt::format("{}.processors[{}]", field, i), (*list)[i]);
    }
  } else if (type != "ByteLevel") {  // ByteLevel only trims offsets, which are not produced
    fault(field, type.empty() ? shown_json(processor) : shown(type), "is not implemented",
          "use TemplateProcessing, ByteLevel or a Sequence of them");
  }
}

void Parser::parse_template(const std::string& field, const Json& processor) {
  static constexpr std::array<std::string_view, 4> kKeys = {"type", "single", "pair", "special_tokens"};
  check_keys(field, processor, kKeys);
  const Json* single = find(processor, "single");
  const Json* special_tokens = find(processor, "special_tokens");
  if (template_has_text_ || single == nullptr || !single->is_array() || special_tokens == nullptr) {
    fault(field, "", "is a second template, or has no 'single' or 'special_tokens'",
          "keep one whole template");
    return;
  }
  for (std::size_t i = 0; i < single->size(); ++i) {
    parse_template_item(fmt::format("{}.single[{}]", field, i), (*single)[i], *special_tokens);
  }
  if (!template_has_text_) {
    fault(field + ".single", "", "does not contain the text", "add {\"Sequence\": {\"id\": \"A\"}}");
  }
}

void Parser::parse_template_item(const std::string& field, const Json& item, const Json& special_tokens) {
  const Json* special = find(item, "SpecialToken");
  const Json* sequence = find(item, "Sequence");
  if (sequence != nullptr && text(*sequence, "id") == "A" && !template_has_text_) {
    template_has_text_ = true;
    return;
  }
  const Json* token = special == nullptr ? nullptr : find(special_tokens, text(*special, "id"));
  const Json* ids = token == nullptr ? nullptr : find(*token, "ids");
  if (ids == nullptr || !ids->is_array()) {
    fault(field, shown_json(item), "is neither the text (once) nor a token listed in special_tokens",
          "correct the file");
    return;
  }
  for (const Json& value : *ids) {
    const std::optional<std::int64_t> id = as_int64(value);
    const bool is_known = id && *id >= 0 && *id < static_cast<std::int64_t>(data_.tokens.size()) &&
                          data_.tokens[static_cast<std::size_t>(*id)].is_used;
    if (!is_known) {
      fault(field, shown_json(value), "is no id of the vocabulary", "correct the file");
      return;
    }
    (template_has_text_ ? data_.template_suffix : data_.template_prefix)
        .push_back(static_cast<std::int32_t>(*id));
  }
}

void Parser::parse_decoder(const std::string& field, const Json& decoder) {
  const std::string_view type = text(decoder, "type");
  const Json* list = find(decoder, "decoders");
  if (type == "ByteLevel") {
    return;
  }
  if (type == "Sequence" && list != nullptr && list->is_array() && list->size() == 1) {
    parse_decoder(field + ".decoders[0]", (*list)[0]);
    return;
  }
  fault(field, type.empty() ? shown_json(decoder) : shown(type), "is not implemented",
        "use the decoder ByteLevel");
}

void Parser::build_tables() {
  data_.ids_by_content.reserve(data_.tokens.size());
  data_.model.pieces.reserve(data_.tokens.size());
  for (std::size_t i = 0; i < data_.tokens.size(); ++i) {
    if (data_.tokens[i].is_used) {
      data_.ids_by_content.add(data_.tokens[i].content, static_cast<std::int32_t>(i));
    }
  }
  for (const auto& [token, id] : vocabulary_) {
    // Only tokens written in the byte alphabet can equal a piece.
    if (letters_to_bytes(token)) {
      data_.model.pieces.add(data_.tokens[static_cast<std::size_t>(id)].bytes, id);
    }
  }
  for (const AddedToken& token : added_) {
    (token.normalized ? data_.normalized_matcher : data_.raw_matcher).add(token, token.content);
  }
}

}  // namespace

Status parse_tokenizer_json(std::string_view text, TokenizerData& data) {
  TRY_ASSIGN(const Json root, parse_json(text, kLimits));
  Faults faults;
  Parser(data, faults).parse(root);
  return faults.to_status(StatusCode::kBadData, "the tokenizer cannot be used");
}

}  // namespace cairn::tokenizer
