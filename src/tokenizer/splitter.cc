#include "tokenizer/splitter.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "tokenizer/character_kinds.h"

namespace cairn::tokenizer {
namespace {

struct CompiledStep {
  Regex regex;
  SplitBehavior behavior;
  bool is_inverted;
};

struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool is_match = false;
};

// Whether `next` becomes part of the piece that ends with `previous`.
bool joins(SplitBehavior behavior, bool previous_is_match, bool next_is_match) {
  switch (behavior) {
    case SplitBehavior::kMergedWithPrevious:
      return next_is_match && !previous_is_match;
    case SplitBehavior::kMergedWithNext:
      return !next_is_match && previous_is_match;
    case SplitBehavior::kContiguous:
      return next_is_match == previous_is_match;
    case SplitBehavior::kIsolated:
    case SplitBehavior::kRemoved:
      break;
  }
  return false;
}

std::size_t character_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// One text on its way through the steps. Depth first: a piece of one step goes through all later ones before the next piece
// is looked for, so that nothing is kept but the text as kinds.
class Walk {
 public:
  Walk(const std::vector<CompiledStep>& steps, std::string_view text, SplitterBuffers& buffers,
       const std::function<void(std::size_t, std::size_t)>& on_piece)
      : steps_(steps), text_(text), buffers_(buffers), on_piece_(on_piece) {}

  // The stretch [begin, end) of kinds from step `index` on.
  Status cut(std::size_t index, std::size_t begin, std::size_t end) {
    if (index == steps_.size()) {
      const std::size_t first = bytes_before(begin);
      on_piece_(first, bytes_before(end));
      return ok_status();
    }
    const CompiledStep& step = steps_[index];
    const std::string_view kinds = std::string_view(buffers_.kinds).substr(begin, end - begin);
    Stretch piece;  // may still grow
    RegexMatch match;
    for (std::size_t at = 0; at < kinds.size(); at = match.end) {
      TRY(step.regex.find(kinds, at, buffers_.regex, match));
      if (match.begin == RegexMatch::kNone) {
        match = {kinds.size(), kinds.size()};
      }
      TRY(add(index, piece, {begin + at, begin + match.begin, step.is_inverted}));
      TRY(add(index, piece, {begin + match.begin, begin + match.end, !step.is_inverted}));
    }
    return pass_on(index, piece);
  }

 private:
  Status add(std::size_t index, Stretch& piece, Stretch next) {
    if (next.begin == next.end) {
      return ok_status();
    }
    const bool is_part =
        piece.end > piece.begin && joins(steps_[index].behavior, piece.is_match, next.is_match);
    if (is_part) {
      next.begin = piece.begin;
    } else {
      TRY(pass_on(index, piece));
    }
    piece = next;
    return ok_status();
  }

  Status pass_on(std::size_t index, const Stretch& piece) {
    const bool is_removed = steps_[index].behavior == SplitBehavior::kRemoved && piece.is_match;
    return is_removed || piece.begin == piece.end ? ok_status() : cut(index + 1, piece.begin, piece.end);
  }

  // The offset in bytes of character `index`. REQUIRES that it is not less than the last time.
  std::size_t bytes_before(std::size_t index) {
    if (buffers_.kinds.size() == text_.size()) {
      return index;
    }
    for (; character_ < index; ++character_) {
      byte_ += character_size(text_[byte_]);
    }
    return byte_;
  }

  const std::vector<CompiledStep>& steps_;
  std::string_view text_;
  SplitterBuffers& buffers_;
  const std::function<void(std::size_t, std::size_t)>& on_piece_;
  std::size_t character_ = 0;  // how far bytes_before() has counted
  std::size_t byte_ = 0;
};

}  // namespace

struct Splitter::Program {
  CharacterKinds kinds;
  std::vector<CompiledStep> steps;
};

Splitter::Splitter(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

Result<Splitter> Splitter::create(const std::vector<SplitStep>& steps) {
  std::vector<CodePointSet> sets;
  for (const SplitStep& step : steps) {
    sets.insert(sets.end(), step.pattern.sets.begin(), step.pattern.sets.end());
  }
  std::sort(sets.begin(), sets.end());
  sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
  std::optional<CharacterKinds> kinds = CharacterKinds::create(sets);
  if (!kinds) {
    return bad_data("the patterns tell more than 256 kinds of characters apart");
  }
  auto program = std::make_shared<Program>(Program{std::move(*kinds), {}});
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Result<Regex> regex = Regex::compile(steps[i].pattern, program->kinds);
    if (!regex.ok()) {
      return regex.status().with_context(fmt::format("pattern {}", i + 1));
    }
    program->steps.push_back({std::move(regex).value(), steps[i].behavior, steps[i].is_inverted});
  }
  return Splitter(std::move(program));
}

Status Splitter::split(std::string_view text, SplitterBuffers& buffers,
                       const std::function<void(std::size_t begin, std::size_t end)>& on_piece) const {
  program_->kinds.translate(text, buffers.kinds);
  return Walk(program_->steps, text, buffers, on_piece).cut(0, 0, buffers.kinds.size());
}

}  // namespace cairn::tokenizer
