// Any bytes as a regular expression, and any text cut by those that are accepted. The input is the expression, then a NUL
// byte, then the text.
#include <cstdint>
#include <iterator>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "tokenizer/splitter.h"

namespace {

using cairn::tokenizer::SplitBehavior;

// What each behaviour leaves of a text: all of it, once, but for kRemoved.
void cut(const cairn::tokenizer::RegexTree& tree, SplitBehavior behavior, std::string_view text) {
  std::vector<cairn::tokenizer::SplitStep> steps;
  steps.push_back({tree, behavior, false});
  const cairn::Result<cairn::tokenizer::Splitter> splitter = cairn::tokenizer::Splitter::create(steps);
  if (!splitter.ok()) {
    return;
  }
  cairn::tokenizer::SplitterBuffers buffers;
  std::size_t done = 0;
  const cairn::Status status = splitter->split(text, buffers, [&](std::size_t begin, std::size_t end) {
    CHECK(begin < end && end <= text.size(), "pieces are not empty and inside the text");
    CHECK(behavior == SplitBehavior::kRemoved ? begin >= done : begin == done, "pieces are in order");
    CHECK(cairn::is_valid_utf8(text.substr(begin, end - begin)), "no character is cut");
    done = end;
  });
  CHECK(!status.ok() || behavior == SplitBehavior::kRemoved || done == text.size(),
        "the pieces are the text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kTextBytesMax =
      200;  // what hostile expressions do at each place is bounded, not how often
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\0');
  const std::string_view pattern = input.substr(0, end);
  const std::string_view text = end == std::string_view::npos ? "" : input.substr(end + 1, kTextBytesMax);
  if (!cairn::is_valid_utf8(pattern) || !cairn::is_valid_utf8(text)) {
    return 0;
  }
  const cairn::Result<cairn::tokenizer::RegexTree> tree = cairn::tokenizer::parse_regex(pattern);
  if (tree.ok()) {
    constexpr SplitBehavior kBehaviors[] = {SplitBehavior::kIsolated, SplitBehavior::kRemoved,
                                            SplitBehavior::kMergedWithPrevious,
                                            SplitBehavior::kMergedWithNext, SplitBehavior::kContiguous};
    cut(*tree, kBehaviors[size % std::size(kBehaviors)], text);
  }
  return 0;
}
