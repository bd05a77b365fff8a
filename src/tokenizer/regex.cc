#include "tokenizer/regex.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "tokenizer/regex_engine.h"

namespace cairn::tokenizer {
namespace {

using enum RegexNodeType;

// Writes a tree in PCRE2's syntax over kinds.
class Writer {
 public:
  Writer(const RegexTree& tree, const CharacterKinds& kinds) : kinds_(kinds) {
    for (const CodePointSet& set : tree.sets) {
      sets_.push_back(class_of(set));
    }
    write(tree.root);
  }

  std::string take() { return std::move(out_); }

 private:
  std::string class_of(const CodePointSet& set) const {
    const std::vector<std::uint8_t> members = kinds_.kinds_in(set);
    if (members.size() == 1) {
      return fmt::format("\\x{:02x}", members.front());
    }
    std::string text = "[";
    for (std::size_t i = 0; i < members.size();) {
      std::size_t end = i + 1;
      while (end < members.size() && members[end] == members[end - 1] + 1) {
        ++end;
      }
      text += fmt::format("\\x{:02x}", members[i]);
      if (end > i + 1) {
        text += fmt::format("-\\x{:02x}", members[end - 1]);
      }
      i = end;
    }
    return text + "]";
  }

  void write_group(std::string_view head, const RegexNode& node) {
    out_ += head;
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      out_ += i > 0 && node.type == kAlternatives ? "|" : "";
      write(node.children[i]);
    }
    out_ += ')';
  }

  void write_repeat(const RegexNode& node) {
    const RegexNode& child = node.children.front();
    if (child.type == kSet) {
      write(child);
    } else {
      out_ += "(?:";
      write(child);
      out_ += ')';
    }
    const bool is_bounded = node.repeat_max != RegexNode::kNoMaximum;
    out_ += is_bounded ? fmt::format("{{{},{}}}", node.repeat_min, node.repeat_max)
                       : fmt::format("{{{},}}", node.repeat_min);
    out_ += node.repeat_mode == RepeatMode::kLazy         ? "?"
            : node.repeat_mode == RepeatMode::kPossessive ? "+"
                                                          : "";
  }

  void write(const RegexNode& node) {
    switch (node.type) {
      case kSet:
        out_ += sets_[node.set];
        return;
      case kSequence:
      case kAlternatives:
        return write_group("(?:", node);
      case kRepeat:
        return write_repeat(node);
      case kAtomic:
        return write_group("(?>", node);
      case kLookAhead:
        return write_group("(?=", node);
      case kNoLookAhead:
        return write_group("(?!", node);
      case kLookBehind:
        return write_group("(?<=", node);
      case kNoLookBehind:
        return write_group("(?<!", node);
      case kLineStart:
        out_ += '^';
        return;
      case kLineEnd:
        out_ += '$';
        return;
      case kTextStart:
        out_ += "\\A";
        return;
      case kTextEnd:
        out_ += "\\z";
        return;
      case kTextEndOrNewline:
        out_ += "\\Z";
        return;
    }
  }

  const CharacterKinds& kinds_;
  std::vector<std::string> sets_;  // as they are written, by number
  std::string out_;
};

// The kinds of a sequence of sets of one kind each; empty when the tree is something else.
std::string fixed_string(const RegexTree& tree, const CharacterKinds& kinds) {
  std::string text;
  for (const RegexNode& child : tree.root.children) {
    const std::vector<std::uint8_t> members =
        child.type == kSet ? kinds.kinds_in(tree.sets[child.set]) : std::vector<std::uint8_t>();
    if (members.size() != 1) {
      return "";
    }
    text += static_cast<char>(members.front());
  }
  return text;
}

}  // namespace

struct RegexBuffers::State {
  std::unique_ptr<EngineBuffers> engine;  // made by the first search that needs it
};

RegexBuffers::RegexBuffers() : state_(std::make_unique<State>()) {}
RegexBuffers::~RegexBuffers() = default;
RegexBuffers::RegexBuffers(RegexBuffers&&) noexcept = default;
RegexBuffers& RegexBuffers::operator=(RegexBuffers&&) noexcept = default;

// One of the three is set.
struct Regex::Program {
  std::bitset<256> one_of;
  std::string fixed;
  std::unique_ptr<const RegexEngine> engine;
};

Regex::Regex(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

Result<Regex> Regex::compile(const RegexTree& tree, const CharacterKinds& kinds) {
  auto program = std::make_unique<Program>();
  if (tree.root.type == kSet) {
    for (const std::uint8_t kind : kinds.kinds_in(tree.sets[tree.root.set])) {
      program->one_of.set(kind);
    }
  } else if (tree.root.type == kSequence) {
    program->fixed = fixed_string(tree, kinds);
  }
  if (program->one_of.none() && program->fixed.empty()) {
    TRY_ASSIGN(program->engine, compile_engine(Writer(tree, kinds).take()));
  }
  return Regex(std::move(program));
}

Status Regex::find(std::string_view kinds, std::size_t from, RegexBuffers& buffers, RegexMatch& match) const {
  if (program_->engine) {
    return program_->engine->find(kinds, from, buffers.state_->engine, match);
  }
  if (!program_->fixed.empty()) {
    const std::size_t begin = kinds.find(program_->fixed, from);
    match = begin == RegexMatch::kNone ? RegexMatch{} : RegexMatch{begin, begin + program_->fixed.size()};
    return ok_status();
  }
  const auto place = std::find_if(kinds.begin() + static_cast<std::ptrdiff_t>(from), kinds.end(),
                                  [&](char c) { return program_->one_of[static_cast<unsigned char>(c)]; });
  const auto begin = static_cast<std::size_t>(place - kinds.begin());
  match = place == kinds.end() ? RegexMatch{} : RegexMatch{begin, begin + 1};
  return ok_status();
}

}  // namespace cairn::tokenizer
