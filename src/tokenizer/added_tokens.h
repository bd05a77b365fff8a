// Tokens that are found in the text as they are written, before any pattern cuts it: <s>, [INST], ...
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::tokenizer {

struct AddedToken {
  std::int32_t id = -1;
  std::string content;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space after it
  bool normalized = false;   // looked for in the normalised text
  bool special = false;      // left out by decode with skip_special_tokens
};

// A stretch of text: an added token (id >= 0) or ordinary text (id < 0).
struct TextSegment {
  std::int32_t id = -1;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Finds the leftmost, among those the longest, token at each place.
class AddedTokenMatcher {
 public:
  // Longer contents are refused when a file is read: matching costs at most this much per byte of text.
  static constexpr std::size_t kContentBytesMax = 512;

  // `content` is what is searched for (normalised where the token says so). REQUIRES it not empty.
  void add(const AddedToken& token, std::string_view content);
  bool empty() const { return tokens_.empty(); }
  // Appends the segments of `text`, in order, without empty stretches of text.
  void split(std::string_view text, std::vector<TextSegment>& segments) const;

 private:
  struct Node {
    std::vector<std::pair<unsigned char, std::int32_t>> children;
    std::int32_t token = -1;  // index into tokens_ of what ends here
  };
  struct Match {
    std::int32_t token = -1;
    std::size_t end = 0;
  };
  Match longest_at(std::string_view text, std::size_t at) const;
  std::size_t next_first_byte(std::string_view text, std::size_t at) const;
  std::int32_t child(std::int32_t node, unsigned char byte) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_ = {Node{}};
  std::vector<unsigned char> first_bytes_;  // of the tokens, each once
};

}  // namespace cairn::tokenizer
