#include "tokenizer/pre_tokenizer_json.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace cairn::tokenizer {
namespace {

constexpr std::size_t kStepsMax = 32;

class Reader {
 public:
  Reader(TokenizerData& data, FileFaults& faults) : data_(data), faults_(faults) {}

  void read(const Json& pre_tokenizer);

 private:
  void read_step(const std::string& field, const Json& step);
  void read_byte_level(const std::string& field, const Json& step);
  void read_digits(const std::string& field, const Json& step);
  void read_split(const std::string& field, const Json& step);
  std::optional<RegexTree> read_pattern(const std::string& field, const Json& split);
  std::optional<SplitBehavior> read_behavior(const std::string& field, const Json& split);
  void finish();

  TokenizerData& data_;
  FileFaults& faults_;
  std::size_t num_steps_ = 0;
  std::vector<SplitStep> steps_;
  std::optional<Pattern>
      scanner_;  // of the last Split, when it is a known pattern whose matches are the pieces
  bool has_byte_level_ = false;
  bool has_byte_level_regex_ = false;
};

void Reader::read(const Json& pre_tokenizer) {
  if (!pre_tokenizer.is_null()) {
    read_step("pre_tokenizer", pre_tokenizer);
  }
  if (!faults_.empty()) {
    return;
  }
  if (!has_byte_level_) {
    faults_.add("pre_tokenizer", "", "has no ByteLevel step, so the model is not byte-level",
                std::string(faults_.supported()));
    return;
  }
  finish();
}

void Reader::read_step(const std::string& field, const Json& step) {
  const std::string_view type = text_member(step, "type");
  const Json* list = find(step, "pretokenizers");
  if (type == "Sequence" && list != nullptr && list->is_array()) {
    static constexpr std::array<std::string_view, 2> kKeys = {"type", "pretokenizers"};
    faults_.check_keys(field, step, kKeys);
    for (std::size_t i = 0; i < list->size(); ++i) {
      read_step(fmt::format("{}.pretokenizers[{}]", field, i), (*list)[i]);
    }
    return;
  }
  if (++num_steps_ == kStepsMax + 1) {
    faults_.add(field, "", fmt::format("is one step more than {}", kStepsMax), "use fewer steps");
  }
  if (num_steps_ > kStepsMax) {
    return;
  }
  if (has_byte_level_) {
    faults_.add(field, shown(type), "comes after ByteLevel, which is not implemented", "put ByteLevel last");
  } else if (type == "ByteLevel") {
    read_byte_level(field, step);
  } else if (type == "Digits") {
    read_digits(field, step);
  } else if (type == "Split") {
    read_split(field, step);
  } else {
    faults_.add(field, type.empty() ? shown_json(step) : shown(type), "is not implemented",
                "use Split, Digits and, as the last step, ByteLevel");
  }
}

void Reader::read_byte_level(const std::string& field, const Json& step) {
  static constexpr std::array<std::string_view, 4> kKeys = {"type", "add_prefix_space", "trim_offsets",
                                                            "use_regex"};
  faults_.check_keys(field, step, kKeys);
  has_byte_level_ = true;
  data_.adds_prefix_space = faults_.flag(field, step, "add_prefix_space", true);
  has_byte_level_regex_ = faults_.flag(field, step, "use_regex", true);
}

void Reader::read_digits(const std::string& field, const Json& step) {
  static constexpr std::array<std::string_view, 2> kKeys = {"type", "individual_digits"};
  faults_.check_keys(field, step, kKeys);
  const bool is_each_alone = faults_.flag(field, step, "individual_digits", false);
  steps_.push_back({set_regex(numeral_set()),
                    is_each_alone ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, false});
}

void Reader::read_split(const std::string& field, const Json& step) {
  static constexpr std::array<std::string_view, 4> kKeys = {"type", "pattern", "behavior", "invert"};
  faults_.check_keys(field, step, kKeys);
  const std::optional<SplitBehavior> behavior = read_behavior(field, step);
  const bool is_inverted = faults_.flag(field, step, "invert", false);
  std::optional<RegexTree> pattern = read_pattern(field, step);
  if (!pattern || !behavior) {
    return;
  }
  // The known patterns match every character, so isolating the matches and removing the rest are the same.
  const bool are_matches_pieces =
      behavior == SplitBehavior::kIsolated || (behavior == SplitBehavior::kRemoved && is_inverted);
  scanner_ = are_matches_pieces ? find_pattern(text_member(*find(step, "pattern"), "Regex")) : std::nullopt;
  steps_.push_back({std::move(*pattern), *behavior, is_inverted});
}

std::optional<SplitBehavior> Reader::read_behavior(const std::string& field, const Json& split) {
  static constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kBehaviors = {
      {{"Isolated", SplitBehavior::kIsolated},
       {"Removed", SplitBehavior::kRemoved},
       {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
       {"MergedWithNext", SplitBehavior::kMergedWithNext},
       {"Contiguous", SplitBehavior::kContiguous}}};
  const std::string_view name = text_member(split, "behavior");
  for (const auto& [known, behavior] : kBehaviors) {
    if (name == known) {
      return behavior;
    }
  }
  faults_.add(field + ".behavior", shown(name), "is not a known behaviour",
              "use Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous");
  return std::nullopt;
}

std::optional<RegexTree> Reader::read_pattern(const std::string& field, const Json& split) {
  const Json* pattern = find(split, "pattern");
  const std::string_view literal = pattern == nullptr ? std::string_view() : text_member(*pattern, "String");
  const std::string_view regex = pattern == nullptr ? std::string_view() : text_member(*pattern, "Regex");
  if (literal.empty() == regex.empty() || std::max(literal.size(), regex.size()) > kRegexBytesMax) {
    faults_.add(field + ".pattern", pattern == nullptr ? "" : shown_json(*pattern),
                fmt::format("is neither a String nor a Regex of 1 to {} bytes", kRegexBytesMax),
                "give one of the two");
    return std::nullopt;
  }
  if (!literal.empty()) {
    return literal_regex(literal);
  }
  Result<RegexTree> tree = parse_regex(regex);
  if (!tree.ok()) {
    faults_.add(field + ".pattern", shown(regex),
                fmt::format("has what is not implemented in patterns: {}", tree.status().message()),
                "write the pattern without it");
    return std::nullopt;
  }
  return std::move(tree).value();
}

void Reader::finish() {
  if (steps_.size() == 1 && scanner_ && !has_byte_level_regex_) {
    data_.pattern = *scanner_;
    data_.prefixes_every_piece = true;
    return;
  }
  if (has_byte_level_regex_) {
    data_.pattern = *find_pattern(kGpt2Regex);
  }
  if (steps_.empty()) {
    return;
  }
  Result<Splitter> splitter = Splitter::create(steps_);
  if (!splitter.ok()) {
    faults_.add("pre_tokenizer", "", splitter.status().message(), "use simpler patterns");
    return;
  }
  data_.splitter = std::move(splitter).value();
}

}  // namespace

void read_pre_tokenizer(const Json& pre_tokenizer, TokenizerData& data, FileFaults& faults) {
  Reader(data, faults).read(pre_tokenizer);
}

}  // namespace cairn::tokenizer
