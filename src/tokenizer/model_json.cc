#include "tokenizer/model_json.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "formats/json_line.h"
#include "tokenizer/byte_alphabet.h"

namespace cairn::tokenizer {
namespace {

constexpr JsonLimits kLimits{std::int64_t{256} << 20, 32};
constexpr std::size_t kVocabularyField = 0;
constexpr std::size_t kMergesField = 1;
constexpr std::size_t kAtOnce = 64;  // tokens or merges, which waits for memory less than one by one

// Steps through a value of JSON that is known to be well-formed.
class JsonTokens {
 public:
  explicit JsonTokens(std::string_view json) : json_(json) {}

  // The next character that is no white space; 0 at the end.
  char peek() {
    while (at_ < json_.size() &&
           (json_[at_] == ' ' || json_[at_] == '\n' || json_[at_] == '\r' || json_[at_] == '\t')) {
      ++at_;
    }
    return at_ < json_.size() ? json_[at_] : '\0';
  }
  bool take(char c) {
    const bool is_there = peek() == c;
    at_ += is_there ? 1U : 0U;
    return is_there;
  }
  std::size_t offset() const { return at_; }
  std::string_view since(std::size_t begin) const { return json_.substr(begin, at_ - begin); }
  // The next value as it is written.
  std::string_view value() {
    const char first = peek();
    const std::size_t begin = at_;
    if (first == '"') {
      skip_string();
    } else if (first == '{' || first == '[') {
      skip_structure();
    } else {
      at_ = std::min(json_.find_first_of(",]}: \n\r\t", at_), json_.size());
    }
    return json_.substr(begin, at_ - begin);
  }

 private:
  // From a quote to behind the next one.
  void skip_string() {
    for (++at_; at_ < json_.size() && json_[at_] != '"'; ++at_) {
      at_ += json_[at_] == '\\' ? 1U : 0U;
    }
    ++at_;
  }
  void skip_structure() {
    int depth = 0;
    do {
      const char c = json_[at_];
      if (c == '"') {
        skip_string();
        continue;
      }
      depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
      ++at_;
    } while (depth > 0 && at_ < json_.size());
  }

  std::string_view json_;
  std::size_t at_ = 0;
};

// What a string of JSON stands for; nothing when the value is no string. `storage` keeps what is not written as it is.
std::optional<std::string_view> string_of(std::string_view value, std::deque<std::string>& storage) {
  if (value.size() < 2 || value.front() != '"') {
    return std::nullopt;
  }
  const std::string_view inside = value.substr(1, value.size() - 2);
  if (inside.find('\\') == std::string_view::npos) {
    return inside;
  }
  const Result<Json> parsed = parse_json(value, kLimits);
  const std::optional<std::string_view> text = parsed.ok() ? as_string(*parsed) : std::nullopt;
  if (!text) {
    return std::nullopt;
  }
  return storage.emplace_back(*text);
}

struct WrittenMerge {
  std::string_view text;                  // as it is written
  std::array<std::string_view, 2> parts;  // empty when it is no pair
};

// ["a", "b"] or "a b".
WrittenMerge take_merge(JsonTokens& tokens, std::deque<std::string>& storage) {
  WrittenMerge merge;
  if (tokens.peek() != '[') {
    merge.text = tokens.value();
    const std::string_view joined = string_of(merge.text, storage).value_or(std::string_view());
    const std::size_t space = joined.find(' ');
    if (space != std::string_view::npos && joined.find(' ', space + 1) == std::string_view::npos) {
      merge.parts = {joined.substr(0, space), joined.substr(space + 1)};
    }
    return merge;
  }
  const std::size_t begin = tokens.offset();
  tokens.take('[');
  std::size_t num_parts = 0;
  for (; tokens.peek() != ']' && tokens.peek() != '\0'; ++num_parts) {
    const std::string_view part = tokens.value();
    if (num_parts < 2) {
      merge.parts[num_parts] = string_of(part, storage).value_or(std::string_view());
    }
    tokens.take(',');
  }
  tokens.take(']');
  merge.text = tokens.since(begin);
  if (num_parts != 2) {
    merge.parts = {};
  }
  return merge;
}

// True for a UTF-8 lead or continuation byte that some text can contain.
bool is_text_byte(int byte) {
  return byte != 0xC0 && byte != 0xC1 && byte < 0xF5;
}

bool is_null_or_empty(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  return value == nullptr || value->is_null() || as_string(*value) == std::string_view();
}

}  // namespace

Result<CutTokenizerJson> cut_tokenizer_json(std::string_view text) {
  JsonLineReader reader({"model.vocab", "model.merges"});
  const Status status = reader.read(text.substr(0, static_cast<std::size_t>(kLimits.bytes_max) + 1));
  if (!status.ok() || !is_valid_utf8(text) || text.size() > static_cast<std::size_t>(kLimits.bytes_max)) {
    TRY(parse_json(text, kLimits).status());  // names line and column
    return status;
  }
  CutTokenizerJson file;
  std::array<std::pair<std::string_view, std::string_view>, 2> cuts;  // what to write instead of what
  std::size_t num_cuts = 0;
  const std::string_view vocabulary = reader.value(kVocabularyField).text;
  const std::string_view merges = reader.value(kMergesField).text;
  if (vocabulary.starts_with('{')) {
    file.vocabulary = vocabulary;
    cuts[num_cuts++] = {"{}", vocabulary};
  }
  if (merges.starts_with('[')) {
    file.merges = merges;
    cuts[num_cuts++] = {"[]", merges};
  }
  std::sort(cuts.begin(), cuts.begin() + static_cast<std::ptrdiff_t>(num_cuts),
            [](const auto& a, const auto& b) { return a.second.data() < b.second.data(); });
  std::string rest;
  const char* done = text.data();
  for (std::size_t i = 0; i < num_cuts; ++i) {
    rest.append(done, cuts[i].second.data());
    rest += cuts[i].first;
    done = cuts[i].second.data() + cuts[i].second.size();
  }
  rest.append(done, text.data() + text.size());
  TRY_ASSIGN(file.root, parse_json(rest, kLimits));
  return file;
}

void ModelReader::read(const CutTokenizerJson& file) {
  const Json* model = find(file.root, "model");
  if (model == nullptr || !model->is_object() || file.vocabulary.empty()) {
    faults_.add("model.vocab", "", "is missing or not an object", "give a tokenizer.json with a BPE model");
    return;
  }
  const Json* type = find(*model, "type");
  if ((type != nullptr && as_string(*type) != "BPE") || file.merges.empty()) {
    faults_.add("model.type", type == nullptr ? "" : shown_json(*type), "is no BPE model with merges",
                std::string(faults_.supported()));
    return;
  }
  read_switches(*model);
  read_vocabulary(file.vocabulary);
  read_bytes();
  read_merges(file.merges);
}

void ModelReader::read_switches(const Json& model) {
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
  faults_.check_keys("model", model, kKeys);
  // An unknown token and how unknown ones are joined never matter: every byte has a token (read_bytes).
  const Json* dropout = find(model, "dropout");
  if (dropout != nullptr && !dropout->is_null() && as_double(*dropout) != 0.0) {
    faults_.refuse("model.dropout", *dropout);
  }
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!is_null_or_empty(model, key)) {
      faults_.refuse(fmt::format("model.{}", key), *find(model, key));
    }
  }
  if (faults_.flag("model", model, "byte_fallback", false)) {
    faults_.refuse("model.byte_fallback", *find(model, "byte_fallback"));
  }
  ignores_merges_ = faults_.flag("model", model, "ignore_merges", false);
}

void ModelReader::read_vocabulary(std::string_view text) {
  const auto num_tokens_max = static_cast<std::size_t>(
      std::min(kTokenIdEnd, static_cast<std::int64_t>(std::ranges::count(text, ':'))));
  ids_.reserve(num_tokens_max);
  data_.tokens.reserve(num_tokens_max);
  JsonTokens tokens(text);
  tokens.take('{');
  while (tokens.peek() == '"') {
    const std::string_view written = tokens.value();
    tokens.take(':');
    const std::string_view id = tokens.value();
    tokens.take(',');
    if (const std::optional<std::string_view> token = string_of(written, unescaped_)) {
      ids_.prefetch(*token);
      tokens_ahead_.emplace_back(*token, id);
    }
    if (tokens_ahead_.size() == kAtOnce) {
      read_tokens();
    }
  }
  read_tokens();
}

void ModelReader::read_tokens() {
  for (const auto& [token, id] : tokens_ahead_) {
    read_token(token, id);
  }
  tokens_ahead_.clear();
}

void ModelReader::read_token(std::string_view token, std::string_view written_id) {
  const auto field = [&] { return fmt::format("model.vocab['{}']", shown(token)); };
  const std::optional<std::int64_t> id = parse_int64(written_id);
  if (!id || *id < 0 || *id >= kTokenIdEnd) {
    faults_.add(field(), shown(written_id), fmt::format("is not an id between 0 and {}", kTokenIdEnd - 1),
                "correct the file");
    return;
  }
  const auto index = static_cast<std::size_t>(*id);
  if (index >= data_.tokens.size()) {
    data_.tokens.resize(index + 1);
  }
  TokenEntry& entry = data_.tokens[index];
  if (entry.is_used) {
    faults_.add(field(), fmt::format("{}", *id), fmt::format("is the id of '{}' too", shown(entry.content)),
                "give every token its own id");
    return;
  }
  if (!ids_.add(token, static_cast<std::int32_t>(*id))) {
    faults_.add(field(), fmt::format("{}", *id), "is there twice", "remove one of the two");
    return;
  }
  entry = {std::string(token), letters_to_bytes(token).value_or(std::string(token)), true, false};
  ++vocabulary_size_;
}

void ModelReader::read_bytes() {
  std::vector<std::string> missing;
  for (int byte = 0; byte < 256; ++byte) {
    std::string letter;
    append_utf8(letter, byte_to_letter(static_cast<std::uint8_t>(byte)));
    const std::int32_t id = find_token(letter);
    data_.model.byte_ids[static_cast<std::size_t>(byte)] = id;
    if (id < 0 && is_text_byte(byte)) {
      missing.push_back(fmt::format("'{}' (0x{:02X})", letter, byte));
    }
  }
  if (!missing.empty()) {
    constexpr std::size_t kShownMax = 8;
    const std::span shown(missing.data(), std::min(missing.size(), kShownMax));
    faults_.add(
        "model.vocab", fmt::format("{}{}", fmt::join(shown, ", "), missing.size() > kShownMax ? ", ..." : ""),
        fmt::format("{} of the letters that stand for bytes are missing, so the model is not byte-level",
                    missing.size()),
        std::string(faults_.supported()));
  }
}

void ModelReader::read_merges(std::string_view text) {
  JsonTokens tokens(text);
  tokens.take('[');
  std::size_t rank = 0;
  for (; tokens.peek() != ']' && tokens.peek() != '\0'; ++rank) {
    const WrittenMerge merge = take_merge(tokens, unescaped_);
    tokens.take(',');
    if (rank >= static_cast<std::size_t>(kTokenIdEnd)) {
      continue;  // only counted
    }
    if (merge.parts[0].empty() || merge.parts[1].empty()) {
      faults_.add(fmt::format("model.merges[{}]", rank), shown(merge.text), "is not a pair of tokens",
                  "write merges as \"a b\" or [\"a\", \"b\"]");
      continue;
    }
    merge_parts_.insert(merge_parts_.end(), merge.parts.begin(), merge.parts.end());
    merge_ranks_.push_back(rank);
    if (merge_ranks_.size() == kAtOnce) {
      add_merges();
    }
  }
  add_merges();
  if (rank > static_cast<std::size_t>(kTokenIdEnd)) {
    faults_.add("model.merges", fmt::format("{} merges", rank), fmt::format("are more than {}", kTokenIdEnd),
                "merge only what becomes a token");
  }
}

void ModelReader::add_merges() {
  std::array<std::int32_t, 2 * kAtOnce> ids;
  ids_.find_all(merge_parts_, ids);
  for (std::size_t i = 0; i < merge_ranks_.size(); ++i) {
    add_merge({merge_parts_[2 * i], merge_parts_[2 * i + 1]}, {ids[2 * i], ids[2 * i + 1], -1},
              merge_ranks_[i]);
  }
  merge_parts_.clear();
  merge_ranks_.clear();
}

// Fills in what the two make.
void ModelReader::add_merge(const std::array<std::string_view, 2>& parts, BpeMerge merge, std::size_t rank) {
  joined_.assign(parts[0]);
  joined_ += parts[1];
  merge.id = find_merged(joined_);
  const std::array<std::string_view, 3> names = {parts[0], parts[1], joined_};
  const std::array<std::int32_t, 3> ids = {merge.left, merge.right, merge.id};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (ids[i] < 0) {
      faults_.add(fmt::format("model.merges[{}]", rank), shown(names[i]), "is not in the vocabulary",
                  "add the token or remove the merge");
      return;
    }
  }
  if (!data_.model.add_merge(merge)) {
    faults_.add(fmt::format("model.merges[{}]", rank), fmt::format("{} {}", shown(parts[0]), shown(parts[1])),
                "is there twice", "remove one of the two");
  }
}

// Most files number tokens by the ranks of their merges: the one after the last one is looked at first.
std::int32_t ModelReader::find_merged(std::string_view token) {
  const std::size_t next = static_cast<std::size_t>(last_merged_) + 1;
  if (next < data_.tokens.size() && data_.tokens[next].is_used && data_.tokens[next].content == token) {
    last_merged_ = static_cast<std::int32_t>(next);
  } else {
    last_merged_ = find_token(token);
  }
  return last_merged_;
}

void ModelReader::build_tables() {
  std::vector<std::string_view> bytes(data_.tokens.size());
  std::ranges::transform(data_.tokens, bytes.begin(), &TokenEntry::bytes);
  data_.model.finish(bytes);
  if (ignores_merges_) {
    build_pieces();
  }
}

// Only tokens of the vocabulary that are written in the byte alphabet can equal a piece.
void ModelReader::build_pieces() {
  std::vector<std::int32_t> whole;
  for (std::size_t i = 0; i < data_.tokens.size(); ++i) {
    const TokenEntry& token = data_.tokens[i];
    const auto id = static_cast<std::int32_t>(i);
    if (token.is_used && !data_.model.is_made_by_merging(id) && find_token(token.content) == id &&
        letters_to_bytes(token.content)) {
      whole.push_back(id);
    }
  }
  data_.model.pieces.reserve(whole.size());
  for (const std::int32_t id : whole) {
    data_.model.pieces.add(data_.tokens[static_cast<std::size_t>(id)].bytes, id);
  }
}

}  // namespace cairn::tokenizer
