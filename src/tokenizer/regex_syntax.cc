#include "tokenizer/regex_syntax.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cairn::tokenizer {
namespace {

using enum RegexNodeType;

constexpr char32_t kLongS = 0x17F;        // folds to s
constexpr char32_t kKelvinSign = 0x212A;  // folds to k

bool is_ascii_letter(char32_t c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool is_ascii_digit(char32_t c) {
  return c >= '0' && c <= '9';
}

std::uint32_t letter_bit(char32_t c) {
  return std::uint32_t{1} << ((c | 0x20) - 'a');
}

// Adds what folds to the ASCII letter `c` by itself.
void add_folded(CodePointSet& set, char32_t c) {
  set.add(c | 0x20, c | 0x20);
  set.add(c & ~char32_t{0x20}, c & ~char32_t{0x20});
  if ((c | 0x20) == 's') {
    set.add(kLongS, kLongS);
  } else if ((c | 0x20) == 'k') {
    set.add(kKelvinSign, kKelvinSign);
  }
}

// True when one character folds to two letters that can stand so: ss ff fi fl st.
bool makes_ligature(std::uint32_t before, std::uint32_t after) {
  const auto has = [](std::uint32_t letters, char c) {
    return (letters & letter_bit(static_cast<char32_t>(c))) != 0;
  };
  return (has(before, 's') && (has(after, 's') || has(after, 't'))) ||
         (has(before, 'f') && (has(after, 'f') || has(after, 'i') || has(after, 'l')));
}

// \w outside of brackets is this, inside it is word_set(): the reference takes its first 256 characters from another table.
CodePointSet bare_word_set() {
  CodePointSet set = word_set();
  for (const char32_t c : {0xB2U, 0xB3U, 0xB9U, 0xBCU, 0xBDU, 0xBEU}) {
    set.add(c, c);
  }
  return set;
}

// True when the node, or one of its alternatives, is nothing but assertions: the reference repeats no such thing.
bool asserts_only(const RegexNode& node) {
  if (node.type == kAlternatives) {
    return std::any_of(node.children.begin(), node.children.end(), asserts_only);
  }
  if (node.type == kSequence) {
    return !node.children.empty() && std::all_of(node.children.begin(), node.children.end(), asserts_only);
  }
  return node.type > kAtomic;
}

// How letters are matched and what the dot is, inside a group.
struct Options {
  bool ignores_case = false;
  bool dot_is_newline = false;
};

class Parser {
 public:
  explicit Parser(std::string_view pattern) : pattern_(pattern) {}

  Result<RegexTree> parse();

 private:
  Result<RegexNode> parse_alternatives(Options options, int depth);
  Result<RegexNode> parse_sequence(Options options, int depth);
  Result<RegexNode> parse_atom(Options options, int depth);
  Result<RegexNode> parse_group(Options options, int depth);
  Result<RegexNode> parse_escape(Options options);
  Status parse_repeats(RegexNode& atom);
  std::optional<std::pair<int, int>> parse_interval();
  Result<RegexNode> repeat(RegexNode child, int min, int max, RepeatMode mode) const;
  Result<RegexNode> parse_class(Options options);
  Status parse_class_item(Options options, bool is_first, CodePointSet& set);
  Status parse_range_end(char32_t first, Options options, CodePointSet& set);
  Result<CodePointSet> parse_class_escape_set(char32_t letter, bool is_bare);
  Result<CodePointSet> parse_property(bool is_negated);
  Result<char32_t> parse_character_escape();
  Result<char32_t> parse_hex(std::size_t digits_min, std::size_t digits_max);
  Result<RegexNode> literal(char32_t c, Options options);

  RegexNode set_node(CodePointSet set);
  RegexNode wrap(RegexNodeType type, RegexNode child) const;
  Status append(RegexNode& sequence, RegexNode child) const;

  bool at_end() const { return at_ == pattern_.size(); }
  bool sees(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    const bool is_there = sees(text);
    at_ += is_there ? text.size() : 0;
    return is_there;
  }
  // REQUIRES !at_end().
  char32_t next() {
    const Utf8CodePoint c = decode_utf8(pattern_, at_);
    at_ += static_cast<std::size_t>(c.length);
    return static_cast<char32_t>(c.code_point);
  }
  // A fault where the parser stands, or at `at`.
  Status refuse(std::string_view reason) const { return refuse(reason, at_); }
  static Status refuse(std::string_view reason, std::size_t at) {
    return bad_data(fmt::format("{} (byte {})", reason, at));
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::map<CodePointSet, std::size_t> set_numbers_;
};

Result<RegexTree> Parser::parse() {
  if (pattern_.empty() || pattern_.size() > kRegexBytesMax) {
    return refuse(fmt::format("an expression has 1 to {} bytes", kRegexBytesMax));
  }
  RegexTree tree;
  TRY_ASSIGN(tree.root, parse_alternatives({}, 0));
  if (!at_end()) {
    return refuse("a ) without its (");
  }
  if (tree.root.may_be_empty) {
    return refuse("it can match no character at all", 0);
  }
  tree.sets.resize(set_numbers_.size());
  for (const auto& [set, number] : set_numbers_) {
    tree.sets[number] = set;
  }
  return tree;
}

Result<RegexNode> Parser::parse_alternatives(Options options, int depth) {
  if (depth > kRegexDepthMax) {
    return refuse(fmt::format("more than {} groups inside one another", kRegexDepthMax));
  }
  RegexNode node;
  node.type = kAlternatives;
  node.may_be_empty = false;
  do {
    TRY_ASSIGN(RegexNode child, parse_sequence(options, depth));
    node.may_be_empty = node.may_be_empty || child.may_be_empty;
    node.folded_first |= child.folded_first;
    node.folded_last |= child.folded_last;
    node.children.push_back(std::move(child));
  } while (take("|"));
  if (node.children.size() == 1) {
    return RegexNode(std::move(node.children.front()));
  }
  return node;
}

Result<RegexNode> Parser::parse_sequence(Options options, int depth) {
  RegexNode node;
  while (!at_end() && !sees("|") && !sees(")")) {
    TRY_ASSIGN(RegexNode child, parse_atom(options, depth));
    TRY(parse_repeats(child));
    TRY(append(node, std::move(child)));
  }
  if (node.children.size() == 1) {
    return RegexNode(std::move(node.children.front()));
  }
  return node;
}

Status Parser::append(RegexNode& sequence, RegexNode child) const {
  if (makes_ligature(sequence.folded_last, child.folded_first)) {
    return refuse("letters that one character folds to (ss, ff, fi, fl, st) in any case");
  }
  sequence.folded_first |= sequence.may_be_empty ? child.folded_first : 0;
  sequence.folded_last = child.folded_last | (child.may_be_empty ? sequence.folded_last : 0);
  sequence.may_be_empty = sequence.may_be_empty && child.may_be_empty;
  sequence.children.push_back(std::move(child));
  return ok_status();
}

Result<RegexNode> Parser::parse_atom(Options options, int depth) {
  const std::size_t begin = at_;
  RegexNode anchor;
  const char32_t c = next();
  switch (c) {
    case '(':
      return parse_group(options, depth + 1);
    case '[':
      return parse_class(options);
    case '\\':
      return parse_escape(options);
    case '.':
      return set_node(options.dot_is_newline ? CodePointSet{{0, kCodePointMax}}
                                             : CodePointSet{{'\n', '\n'}}.complement());
    case '^':
      anchor.type = kLineStart;
      return anchor;
    case '$':
      anchor.type = kLineEnd;
      return anchor;
    case '?':
    case '*':
    case '+':
      return refuse("a repeat of nothing, or of a repeat", begin);
    case '{':
      return refuse("a { that is no repeat (write \\{ for the character)", begin);
    default:
      return literal(c, options);
  }
}

Result<RegexNode> Parser::literal(char32_t c, Options options) {
  if (!options.ignores_case) {
    return set_node({{c, c}});
  }
  if (c >= 0x80) {
    return refuse("a character that is not ASCII inside (?i: )");
  }
  if (!is_ascii_letter(c)) {
    return set_node({{c, c}});
  }
  CodePointSet set;
  add_folded(set, c);
  RegexNode node = set_node(std::move(set));
  node.folded_first = node.folded_last = letter_bit(c);
  return node;
}

Result<RegexNode> Parser::parse_group(Options options, int depth) {
  const std::size_t begin = at_ - 1;
  RegexNodeType type = kSequence;
  if (take("?")) {
    static constexpr std::array<std::pair<std::string_view, RegexNodeType>, 8> kKinds = {
        {{":", kSequence},
         {"i:", kSequence},
         {"m:", kSequence},
         {">", kAtomic},
         {"=", kLookAhead},
         {"!", kNoLookAhead},
         {"<=", kLookBehind},
         {"<!", kNoLookBehind}}};
    const auto* kind =
        std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& k) { return sees(k.first); });
    if (kind == kKinds.end()) {
      return refuse(
          fmt::format("a group that begins with {}", replace_invalid_utf8(pattern_.substr(begin, 4))), begin);
    }
    take(kind->first);
    type = kind->second;
    options.ignores_case = options.ignores_case || kind->first == "i:";
    options.dot_is_newline = options.dot_is_newline || kind->first == "m:";
  } else if (sees("*")) {
    return refuse("a group that begins with (*", begin);
  }
  TRY_ASSIGN(RegexNode child, parse_alternatives(options, depth));
  if (!take(")")) {
    return refuse("a ( without its )", begin);
  }
  if (type == kSequence) {
    // A group of its own even around one item: what is repeated is told apart from what repeats.
    RegexNode group;
    TRY(append(group, std::move(child)));
    return group;
  }
  if (type == kLookBehind || type == kNoLookBehind) {
    const bool is_set = child.type == kSet;
    const bool are_sets =
        child.type == kAlternatives && std::all_of(child.children.begin(), child.children.end(),
                                                   [](const RegexNode& n) { return n.type == kSet; });
    if (!is_set && !are_sets) {
      return refuse("a look-behind of anything but one character", begin);
    }
  }
  return wrap(type, std::move(child));
}

RegexNode Parser::wrap(RegexNodeType type, RegexNode child) const {
  RegexNode node;
  node.type = type;
  if (type == kAtomic) {
    node.may_be_empty = child.may_be_empty;
    node.folded_first = child.folded_first;
    node.folded_last = child.folded_last;
  }
  node.children.push_back(std::move(child));
  return node;
}

// The escapes outside of brackets. REQUIRES that the backslash was taken.
Result<RegexNode> Parser::parse_escape(Options options) {
  const std::size_t begin = at_ - 1;
  if (at_end()) {
    return refuse("a \\ at the end", begin);
  }
  static constexpr std::array<std::pair<char, RegexNodeType>, 3> kAnchors = {
      {{'A', kTextStart}, {'z', kTextEnd}, {'Z', kTextEndOrNewline}}};
  const char letter = pattern_[at_];
  for (const auto& [name, type] : kAnchors) {
    if (letter == name) {
      ++at_;
      RegexNode node;
      node.type = type;
      return node;
    }
  }
  if (std::string_view("pPsSdDwW").find(letter) != std::string_view::npos) {
    if (options.ignores_case) {
      return refuse("a class of characters inside (?i: )", begin);
    }
    TRY_ASSIGN(CodePointSet set, parse_class_escape_set(next(), true));
    return set_node(std::move(set));
  }
  TRY_ASSIGN(const char32_t c, parse_character_escape());
  return literal(c, options);
}

// The character that an escape stands for. REQUIRES that the backslash was taken, and !at_end().
Result<char32_t> Parser::parse_character_escape() {
  const std::size_t begin = at_ - 1;
  const char32_t c = next();
  static constexpr std::array<std::pair<char32_t, char32_t>, 7> kControls = {
      {{'t', '\t'}, {'n', '\n'}, {'v', '\v'}, {'f', '\f'}, {'r', '\r'}, {'a', '\a'}, {'e', 0x1B}}};
  for (const auto& [name, control] : kControls) {
    if (c == name) {
      return control;
    }
  }
  if (c == 'u') {
    return parse_hex(4, 4);
  }
  if (c == 'x' && take("{")) {
    TRY_ASSIGN(const char32_t value, parse_hex(1, 6));
    return take("}") ? Result<char32_t>(value) : refuse("a \\x{ without its }", begin);
  }
  if (c == 'x') {
    TRY_ASSIGN(const char32_t value, parse_hex(2, 2));
    return value < 0x80 ? Result<char32_t>(value) : refuse("a \\x for a byte that is not ASCII", begin);
  }
  if (is_ascii_letter(c) || is_ascii_digit(c)) {
    return refuse(fmt::format("\\{}", static_cast<char>(c)), begin);
  }
  return c;
}

Result<char32_t> Parser::parse_hex(std::size_t digits_min, std::size_t digits_max) {
  std::size_t count = 0;
  char32_t value = 0;
  for (; count < digits_max && !at_end(); ++count, ++at_) {
    const auto c = static_cast<unsigned char>(pattern_[at_]);
    const unsigned lower = c | 0x20U;
    if (is_ascii_digit(c)) {
      value = value * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + (lower - 'a' + 10);
    } else {
      break;
    }
  }
  if (count < digits_min || value > kCodePointMax || (value >= 0xD800 && value < 0xE000)) {
    return refuse("hexadecimal digits that are no character");
  }
  return value;
}

// The set of \p \P \s \S \d \D \w \W. `is_bare`: outside of brackets.
Result<CodePointSet> Parser::parse_class_escape_set(char32_t letter, bool is_bare) {
  switch (letter) {
    case 's':
      return space_set();
    case 'S':
      return space_set().complement();
    case 'd':
      return *category_set("Nd");
    case 'D':
      return category_set("Nd")->complement();
    case 'w':
      return is_bare ? bare_word_set() : word_set();
    case 'W':
      return (is_bare ? bare_word_set() : word_set()).complement();
    default:
      return parse_property(letter == 'P');
  }
}

Result<CodePointSet> Parser::parse_property(bool is_negated) {
  const std::size_t begin = at_ - 2;
  const std::size_t end = pattern_.find('}', at_);
  if (!take("{") || end == std::string_view::npos) {
    return refuse("a \\p without {..}", begin);
  }
  if (take("^")) {
    is_negated = !is_negated;
  }
  const std::string_view name = pattern_.substr(at_, end - at_);
  at_ = end + 1;
  const std::optional<CodePointSet> set = category_set(name);
  if (!set) {
    return refuse(fmt::format("the property {} (general categories by their short names, but C, are known)",
                              replace_invalid_utf8(name.substr(0, 40))),
                  begin);
  }
  return is_negated ? set->complement() : *set;
}

// REQUIRES that the bracket was taken.
Result<RegexNode> Parser::parse_class(Options options) {
  const std::size_t begin = at_ - 1;
  const bool is_negated = take("^");
  if (is_negated && options.ignores_case) {
    return refuse("a negated class inside (?i: )", begin);
  }
  if (sees("]")) {
    return refuse("a class that begins with ] (write \\] for the character)", begin);
  }
  CodePointSet set;
  for (bool is_first = true; !take("]"); is_first = false) {
    if (at_end()) {
      return refuse("a [ without its ]", begin);
    }
    TRY(parse_class_item(options, is_first, set));
  }
  if (is_negated) {
    set = set.complement();
  }
  if (set.empty()) {
    return refuse("a class without characters", begin);
  }
  std::uint32_t folded = 0;
  for (char32_t c = 'a'; options.ignores_case && c <= 'z'; ++c) {
    folded |= set.contains(c) ? letter_bit(c) : 0;
  }
  RegexNode node = set_node(std::move(set));
  node.folded_first = node.folded_last = folded;
  return node;
}

// Adds one item of a class: a character, a range or a class by its escape.
Status Parser::parse_class_item(Options options, bool is_first, CodePointSet& set) {
  const std::size_t begin = at_;
  if (sees("&&")) {
    return refuse("a && in a class");
  }
  char32_t c = next();
  if (c == '[') {
    return refuse("a class in a class (write \\[ for the character)", begin);
  }
  if (c == '-') {
    if (!is_first && !sees("]")) {
      return refuse("a - in a class that is neither first nor last nor a range (write \\- for the character)",
                    begin);
    }
    set.add(c, c);
    return ok_status();
  }
  if (c == '\\') {
    if (at_end()) {
      return refuse("a \\ at the end", begin);
    }
    if (std::string_view("pPsSdDwW").find(pattern_[at_]) != std::string_view::npos) {
      if (options.ignores_case) {
        return refuse("a class of characters inside (?i: )", begin);
      }
      TRY_ASSIGN(const CodePointSet named, parse_class_escape_set(next(), false));
      set.add(named);
      if (sees("-") && !sees("-]")) {
        return refuse("a range from a class of characters", begin);
      }
      return ok_status();
    }
    TRY_ASSIGN(c, parse_character_escape());
  }
  return parse_range_end(c, options, set);
}

// Adds the range from `first` on whose rest, "-last", may follow, or `first` alone.
Status Parser::parse_range_end(char32_t first, Options options, CodePointSet& set) {
  const std::size_t begin = at_;
  char32_t last = first;
  if (sees("-") && !sees("-]")) {
    take("-");
    if (at_end() || sees("[") || sees("-") || sees("&&")) {
      return refuse("a range without its end, or to one of [ - &", begin);
    }
    last = next();
    if (last == '\\') {
      if (at_end() || std::string_view("pPsSdDwW").find(pattern_[at_]) != std::string_view::npos) {
        return refuse("a range to a class of characters", begin);
      }
      TRY_ASSIGN(last, parse_character_escape());
    }
  }
  if (last < first) {
    return refuse("a range that ends before it begins", begin);
  }
  if (options.ignores_case && last >= 0x80) {
    return refuse("a character that is not ASCII inside (?i: )", begin);
  }
  set.add(first, last);
  for (char32_t c = first; options.ignores_case && c <= last; ++c) {
    if (is_ascii_letter(c)) {
      add_folded(set, c);
    }
  }
  return ok_status();
}

// Reads {n}, {n,}, {,m} or {n,m} when it stands here.
std::optional<std::pair<int, int>> Parser::parse_interval() {
  const std::size_t begin = at_;
  const auto number = [&]() -> std::optional<int> {
    std::optional<int> value;
    while (!at_end() && is_ascii_digit(static_cast<unsigned char>(pattern_[at_]))) {
      value = std::min(value.value_or(0) * 10 + (pattern_[at_++] - '0'), kRegexRepeatMax + 1);
    }
    return value;
  };
  if (take("{")) {
    const std::optional<int> min = number();
    const bool has_comma = take(",");
    const std::optional<int> max = has_comma ? number() : min;
    if (take("}") && (min || max)) {
      return std::pair(min.value_or(0), max.value_or(RegexNode::kNoMaximum));
    }
  }
  at_ = begin;
  return std::nullopt;
}

// Puts the repeats that follow around `atom`.
Status Parser::parse_repeats(RegexNode& atom) {
  int min = 0;
  int max = RegexNode::kNoMaximum;
  bool is_interval = false;
  if (take("?")) {
    max = 1;
  } else if (take("+")) {
    min = 1;
  } else if (!take("*")) {
    const auto interval = parse_interval();
    if (!interval) {
      return ok_status();
    }
    std::tie(min, max) = *interval;
    is_interval = true;
  }
  if (is_interval && min == max && sees("?")) {
    return refuse("{n}?");
  }
  RepeatMode mode = take("?") ? RepeatMode::kLazy : RepeatMode::kGreedy;
  if (mode == RepeatMode::kGreedy && !is_interval && take("+")) {
    mode = RepeatMode::kPossessive;
  }
  TRY_ASSIGN(atom, repeat(std::move(atom), min, max, mode));
  if (is_interval && mode == RepeatMode::kGreedy && take("+")) {
    // In this syntax it makes nothing possessive: it repeats the repeat.
    TRY_ASSIGN(atom, repeat(std::move(atom), 1, RegexNode::kNoMaximum, RepeatMode::kGreedy));
  }
  if (sees("?") || sees("*") || sees("+") || parse_interval()) {
    return refuse("a repeat of a repeat (put the inner one into (?: ))");
  }
  return ok_status();
}

Result<RegexNode> Parser::repeat(RegexNode child, int min, int max, RepeatMode mode) const {
  const bool is_bounded = max != RegexNode::kNoMaximum;
  if (min > kRegexRepeatMax || max > kRegexRepeatMax || (is_bounded && (max < min || max == 0))) {
    return refuse(fmt::format("{{n,m}} with more than {}, with n > m or with m = 0", kRegexRepeatMax));
  }
  const bool repeats = max > 1 || !is_bounded;
  if (asserts_only(child) || (repeats && child.may_be_empty)) {
    return refuse("a repeat of what can match no character");
  }
  const RegexNode* inner = &child;
  while (inner->type == kSequence && inner->children.size() == 1) {
    inner = &inner->children.front();
  }
  if (inner->type == kRepeat && (mode == RepeatMode::kLazy || inner->repeat_mode == RepeatMode::kLazy)) {
    return refuse("a repeat of nothing but a repeat, one of them lazy");
  }
  if (repeats && makes_ligature(child.folded_last, child.folded_first)) {
    return refuse("letters that one character folds to (ss, ff, fi, fl, st) in any case");
  }
  RegexNode node = wrap(kRepeat, std::move(child));
  const RegexNode& repeated = node.children.front();
  node.may_be_empty = min == 0 || repeated.may_be_empty;
  node.folded_first = repeated.folded_first;
  node.folded_last = repeated.folded_last;
  node.repeat_min = min;
  node.repeat_max = max;
  node.repeat_mode = mode;
  return node;
}

RegexNode Parser::set_node(CodePointSet set) {
  RegexNode node;
  node.type = kSet;
  node.may_be_empty = false;
  const std::size_t number = set_numbers_.size();
  node.set = set_numbers_.emplace(std::move(set), number).first->second;
  return node;
}

}  // namespace

Result<RegexTree> parse_regex(std::string_view pattern) {
  return Parser(pattern).parse();
}

RegexTree literal_regex(std::string_view text) {
  RegexTree tree;
  tree.root.may_be_empty = false;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8CodePoint c = decode_utf8(text, at);
    const auto code_point = static_cast<char32_t>(c.code_point);
    const CodePointSet set = {{code_point, code_point}};
    const auto known = std::find(tree.sets.begin(), tree.sets.end(), set);
    RegexNode node;
    node.type = kSet;
    node.may_be_empty = false;
    node.set = static_cast<std::size_t>(known - tree.sets.begin());
    if (known == tree.sets.end()) {
      tree.sets.push_back(set);
    }
    tree.root.children.push_back(std::move(node));
    at += static_cast<std::size_t>(c.length);
  }
  return tree;
}

RegexTree set_regex(CodePointSet set) {
  RegexTree tree;
  tree.root.type = kSet;
  tree.root.may_be_empty = false;
  tree.sets.push_back(std::move(set));
  return tree;
}

}  // namespace cairn::tokenizer
