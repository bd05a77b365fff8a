#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <unordered_map>

#include <fmt/format.h>

#include "base/text.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/file_faults.h"
#include "tokenizer/model_json.h"
#include "tokenizer/pre_tokenizer_json.h"
#include "tokenizer/tokenizer_data.h"
#include "tokenizer/unicode.h"

namespace cairn::tokenizer {
namespace {

constexpr std::string_view kSupported =
    "supported are byte-level BPE models; docs/tokenizer.md says with which steps";

class Parser {
 public:
  Parser(TokenizerData& data, FileFaults& faults) : data_(data), faults_(faults), model_(data, faults) {}

  void parse(const CutTokenizerJson& file);

 private:
  void parse_added_tokens(const Json& list);
  void parse_added_token(const std::string& field, const Json& entry);
  std::int64_t expected_id(const std::string& content) const;
  void parse_normalizer(const std::string& field, const Json& normalizer);
  void parse_post_processor(const std::string& field, const Json& processor);
  void parse_template(const std::string& field, const Json& processor);
  void parse_template_item(const std::string& field, const Json& item, const Json& special_tokens);
  void parse_decoder(const std::string& field, const Json& decoder);
  void build_tables();
  std::optional<std::int32_t> find_special(std::span<const std::string_view> spellings) const;

  TokenizerData& data_;
  FileFaults& faults_;
  ModelReader model_;
  std::vector<AddedToken> added_;
  std::unordered_map<std::string, std::int32_t> added_ids_;
  std::int64_t added_id_max_ = -1;
  bool template_has_text_ = false;
};

void Parser::parse(const CutTokenizerJson& file) {
  const Json& root = file.root;
  static constexpr std::array<std::string_view, 9> kKeys = {"version",        "truncation", "padding",
                                                            "added_tokens",   "normalizer", "pre_tokenizer",
                                                            "post_processor", "decoder",    "model"};
  if (!root.is_object()) {
    faults_.add("the file", std::string(json_kind(root)), "is not an object", "give a tokenizer.json");
    return;
  }
  faults_.check_keys("the file", root, kKeys);
  for (const std::string_view key : {"truncation", "padding"}) {
    const Json* value = find(root, key);
    if (value != nullptr && !value->is_null()) {
      faults_.refuse(std::string(key), *value);
    }
  }
  const Json null;
  const auto member = [&](std::string_view key) -> const Json& {
    const Json* value = find(root, key);
    return value == nullptr ? null : *value;
  };
  model_.read(file);
  parse_normalizer("normalizer", member("normalizer"));
  parse_added_tokens(member("added_tokens"));
  read_pre_tokenizer(member("pre_tokenizer"), data_, faults_);
  parse_post_processor("post_processor", member("post_processor"));
  parse_decoder("decoder", member("decoder"));
  if (faults_.empty()) {
    build_tables();
  }
}

// The id that the reference gives an added token, whatever the file says.
std::int64_t Parser::expected_id(const std::string& content) const {
  const std::int32_t id = model_.find_token(content);
  if (id >= 0) {
    return id;
  }
  const std::int64_t size = model_.vocabulary_size();
  return added_id_max_ >= size ? added_id_max_ + 1 : size;
}

void Parser::parse_added_tokens(const Json& list) {
  if (list.is_null()) {
    return;
  }
  if (!list.is_array()) {
    faults_.add("added_tokens", shown_json(list), "is not a list", "correct the file");
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
  token.content = std::string(text_member(entry, "content"));
  if (!id || *id < 0 || *id >= kTokenIdEnd || token.content.empty()) {
    faults_.add(field, shown_json(entry),
                fmt::format("has no content or no id between 0 and {}", kTokenIdEnd - 1), "correct the file");
    return;
  }
  faults_.check_keys(field, entry, kKeys);
  if (token.content.size() > AddedTokenMatcher::kContentBytesMax) {
    faults_.add(field, shown(token.content),
                fmt::format("is longer than {} bytes", AddedTokenMatcher::kContentBytesMax),
                "shorten the token");
    return;
  }
  if (*id != expected_id(token.content)) {
    faults_.add(field, fmt::format("{}", *id),
                fmt::format("'{}' gets the id {} in the reference implementation", shown(token.content),
                            expected_id(token.content)),
                "number added tokens as in the vocabulary, new ones consecutively behind it");
    return;
  }
  token.id = static_cast<std::int32_t>(*id);
  token.special = faults_.flag(field, entry, "special", false);
  token.single_word = faults_.flag(field, entry, "single_word", false);
  token.lstrip = faults_.flag(field, entry, "lstrip", false);
  token.rstrip = faults_.flag(field, entry, "rstrip", false);
  token.normalized = faults_.flag(field, entry, "normalized", !token.special);
  if (token.normalized && data_.has_nfc && is_valid_utf8(token.content)) {
    // It is decoded so, too; and the reference no longer knows it as special when that changed it.
    const std::string normalized = normalize_nfc(token.content);
    token.special = token.special && normalized == token.content;
    token.content = normalized;
  }
  if (!added_ids_.emplace(token.content, token.id).second) {
    faults_.add(field, shown(token.content), "is there twice", "remove one of the two");
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
  const std::string_view type = text_member(normalizer, "type");
  const Json* list = find(normalizer, "normalizers");
  if (type == "NFC") {
    data_.has_nfc = true;
  } else if (type == "Sequence" && list != nullptr && list->is_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      parse_normalizer(fmt::format("{}.normalizers[{}]", field, i), (*list)[i]);
    }
  } else {
    faults_.add(field, type.empty() ? shown_json(normalizer) : shown(type), "is not implemented",
                "use a tokenizer without normaliser or with NFC");
  }
}

void Parser::parse_post_processor(const std::string& field, const Json& processor) {
  if (processor.is_null()) {
    return;
  }
  const std::string_view type = text_member(processor, "type");
  const Json* list = find(processor, "processors");
  if (type == "TemplateProcessing") {
    parse_template(field, processor);
  } else if (type == "Sequence" && list != nullptr && list->is_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      parse_post_processor(fmt::format("{}.processors[{}]", field, i), (*list)[i]);
    }
  } else if (type != "ByteLevel") {  // ByteLevel only trims offsets, which are not produced
    faults_.add(field, type.empty() ? shown_json(processor) : shown(type), "is not implemented",
                "use TemplateProcessing, ByteLevel or a Sequence of them");
  }
}

void Parser::parse_template(const std::string& field, const Json& processor) {
  static constexpr std::array<std::string_view, 4> kKeys = {"type", "single", "pair", "special_tokens"};
  faults_.check_keys(field, processor, kKeys);
  const Json* single = find(processor, "single");
  const Json* special_tokens = find(processor, "special_tokens");
  if (template_has_text_ || single == nullptr || !single->is_array() || special_tokens == nullptr) {
    faults_.add(field, "", "is a second template, or has no 'single' or 'special_tokens'",
                "keep one whole template");
    return;
  }
  for (std::size_t i = 0; i < single->size(); ++i) {
    parse_template_item(fmt::format("{}.single[{}]", field, i), (*single)[i], *special_tokens);
  }
  if (!template_has_text_) {
    faults_.add(field + ".single", "", "does not contain the text", "add {\"Sequence\": {\"id\": \"A\"}}");
  }
}

void Parser::parse_template_item(const std::string& field, const Json& item, const Json& special_tokens) {
  const Json* special = find(item, "SpecialToken");
  const Json* sequence = find(item, "Sequence");
  if (sequence != nullptr && text_member(*sequence, "id") == "A" && !template_has_text_) {
    template_has_text_ = true;
    return;
  }
  const Json* token = special == nullptr ? nullptr : find(special_tokens, text_member(*special, "id"));
  const Json* ids = token == nullptr ? nullptr : find(*token, "ids");
  if (ids == nullptr || !ids->is_array()) {
    faults_.add(field, shown_json(item), "is neither the text (once) nor a token listed in special_tokens",
                "correct the file");
    return;
  }
  for (const Json& value : *ids) {
    const std::optional<std::int64_t> id = as_int64(value);
    const bool is_known = id && *id >= 0 && *id < static_cast<std::int64_t>(data_.tokens.size()) &&
                          data_.tokens[static_cast<std::size_t>(*id)].is_used;
    if (!is_known) {
      faults_.add(field, shown_json(value), "is no id of the vocabulary", "correct the file");
      return;
    }
    (template_has_text_ ? data_.template_suffix : data_.template_prefix)
        .push_back(static_cast<std::int32_t>(*id));
  }
}

void Parser::parse_decoder(const std::string& field, const Json& decoder) {
  const std::string_view type = text_member(decoder, "type");
  const Json* list = find(decoder, "decoders");
  if (type == "ByteLevel") {
    return;
  }
  if (type == "Sequence" && list != nullptr && list->is_array() && list->size() == 1) {
    parse_decoder(field + ".decoders[0]", (*list)[0]);
    return;
  }
  faults_.add(field, type.empty() ? shown_json(decoder) : shown(type), "is not implemented",
              "use the decoder ByteLevel");
}

void Parser::build_tables() {
  model_.build_tables();
  for (const AddedToken& token : added_) {
    (token.normalized ? data_.normalized_matcher : data_.raw_matcher).add(token, token.content);
  }
  static constexpr std::array<std::string_view, 4> kBos = {"<s>", "<|begin_of_text|>", "<bos>",
                                                           "<|startoftext|>"};
  static constexpr std::array<std::string_view, 4> kEos = {"</s>", "<|end_of_text|>", "<eos>",
                                                           "<|endoftext|>"};
  static constexpr std::array<std::string_view, 3> kPad = {"<pad>", "<|finetune_right_pad_id|>", "[PAD]"};
  data_.bos_id = find_special(kBos);
  data_.eos_id = find_special(kEos);
  data_.pad_id = find_special(kPad);
}

// The token of the first spelling that is one.
std::optional<std::int32_t> Parser::find_special(std::span<const std::string_view> spellings) const {
  for (const std::string_view spelling : spellings) {
    for (const AddedToken& token : added_) {
      if (token.special && token.content == spelling) {
        return token.id;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

Status parse_tokenizer_json(std::string_view text, TokenizerData& data) {
  TRY_ASSIGN(const CutTokenizerJson file, cut_tokenizer_json(text));
  Faults faults;
  FileFaults file_faults(faults, kSupported);
  Parser(data, file_faults).parse(file);
  return faults.to_status(StatusCode::kBadData, "the tokenizer cannot be used");
}

}  // namespace cairn::tokenizer
