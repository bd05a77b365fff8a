// Cuts text into pieces by the steps that a tokenizer.json lists before ByteLevel (Split, Digits): each step cuts what the
// one before left. The known pattern on its own has a faster way, pre_tokenizer.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tokenizer/regex.h"

namespace cairn::tokenizer {

// What happens to the matches of a step; the stretches between them are pieces in any case.
enum class SplitBehavior : std::uint8_t {
  kIsolated,            // each is a piece
  kRemoved,             // they are left out
  kMergedWithPrevious,  // each belongs to the stretch before it; behind another match it is a piece
  kMergedWithNext,      // each belongs to the stretch after it; before another match it is a piece
  kContiguous,          // neighbouring ones are one piece
};

struct SplitStep {
  RegexTree pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool is_inverted = false;  // matches and the stretches between them change places
};

// What splitting writes to. One per thread.
struct SplitterBuffers {
  std::string kinds;
  RegexBuffers regex;
};

// Immutable and thread-safe; copies share their programs.
class Splitter {
 public:
  // kBadData when the patterns together tell more than 256 kinds of characters apart or one of them does not compile.
  static Result<Splitter> create(const std::vector<SplitStep>& steps);

  // Calls on_piece(begin, end) with the offsets of each piece, in order; pieces are never empty.
  // kBadData when a pattern takes too many steps. REQUIRES valid UTF-8.
  Status split(std::string_view text, SplitterBuffers& buffers,
               const std::function<void(std::size_t begin, std::size_t end)>& on_piece) const;

 private:
  struct Program;
  explicit Splitter(std::shared_ptr<const Program> program);
  std::shared_ptr<const Program> program_;
};

}  // namespace cairn::tokenizer
