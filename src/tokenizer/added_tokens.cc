#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/text.h"
#include "tokenizer/text_scan.h"
#include "tokenizer/unicode.h"

namespace cairn::tokenizer {
namespace {

bool is_word_at(std::string_view text, std::size_t at) {
  return at < text.size() && (code_point_flags(decode_utf8(text, at).code_point) & kWord) != 0;
}

// Start of the character that ends at `end`. REQUIRES end > 0.
std::size_t previous_character(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) {
    --at;
  }
  return at;
}

// Not beyond `limit`: what lies before it has been handed out.
std::size_t skip_spaces_back(std::string_view text, std::size_t end, std::size_t limit) {
  while (end > limit) {
    const std::size_t at = previous_character(text, end);
    if ((code_point_flags(decode_utf8(text, at).code_point) & kSpace) == 0) {
      break;
    }
    end = at;
  }
  return end;
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const Utf8CodePoint c = decode_utf8(text, at);
    if ((code_point_flags(c.code_point) & kSpace) == 0) {
      break;
    }
    at += static_cast<std::size_t>(c.length);
  }
  return at;
}

}  // namespace

std::int32_t AddedTokenMatcher::child(std::int32_t node, unsigned char byte) const {
  for (const auto& [key, next] : nodes_[static_cast<std::size_t>(node)].children) {
    if (key == byte) {
      return next;
    }
  }
  return -1;
}

void AddedTokenMatcher::add(const AddedToken& token, std::string_view content) {
  CHECK(!content.empty(), "an added token without content");
  std::int32_t node = 0;
  for (const char c : content) {
    const auto byte = static_cast<unsigned char>(c);
    std::int32_t next = child(node, byte);
    if (next < 0) {
      next = static_cast<std::int32_t>(nodes_.size());
      nodes_.emplace_back();
      nodes_[static_cast<std::size_t>(node)].children.emplace_back(byte, next);
    }
    node = next;
  }
  const auto first = static_cast<unsigned char>(content.front());
  if (std::ranges::find(first_bytes_, first) == first_bytes_.end()) {
    first_bytes_.push_back(first);
  }
  Node& last = nodes_[static_cast<std::size_t>(node)];
  if (last.token < 0) {  // of two tokens with one content the first is found
    last.token = static_cast<std::int32_t>(tokens_.size());
    tokens_.push_back(token);
  }
}

AddedTokenMatcher::Match AddedTokenMatcher::longest_at(std::string_view text, std::size_t at) const {
  Match match;
  std::int32_t node = 0;
  while (at < text.size()) {
    node = child(node, static_cast<unsigned char>(text[at]));
    if (node < 0) {
      break;
    }
    ++at;
    const std::int32_t token = nodes_[static_cast<std::size_t>(node)].token;
    match = token >= 0 ? Match{token, at} : match;
  }
  return match;
}

// The first place from `at` on where a token may start, or the end: most files have tokens with one or two first bytes only.
std::size_t AddedTokenMatcher::next_first_byte(std::string_view text, std::size_t at) const {
  for (; text.size() - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    const bool has_any = std::ranges::any_of(first_bytes_, [&](unsigned char byte) {
      const std::uint64_t zero_where_equal = word ^ eight_times(byte);
      return ((zero_where_equal - eight_times(1)) & ~zero_where_equal & kTopBits) != 0;
    });
    if (has_any) {
      break;
    }
  }
  while (at < text.size() &&
         std::ranges::find(first_bytes_, static_cast<unsigned char>(text[at])) == first_bytes_.end()) {
    ++at;
  }
  return at;
}

void AddedTokenMatcher::split(std::string_view text, std::vector<TextSegment>& segments) const {
  std::size_t done = 0;        // text before it has been handed out
  std::size_t spaces_end = 0;  // of the spaces that the last token took; only spaces lie between it and there
  std::size_t at = 0;
  while (!tokens_.empty()) {
    at = next_first_byte(text, at);
    if (at == text.size()) {
      break;
    }
    const Match match = longest_at(text, at);
    if (match.token < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(match.token)];
    std::size_t begin = at;
    std::size_t end = match.end;
    at = match.end;  // the search goes on behind the match, whether it is used or not
    if (token.single_word &&
        ((begin > 0 && is_word_at(text, previous_character(text, begin))) || is_word_at(text, end))) {
      continue;
    }
    if (token.lstrip) {
      begin = std::max(skip_spaces_back(text, begin, done), done);
    }
    if (token.rstrip) {
      end = skip_spaces(text, std::max(end, spaces_end));
      spaces_end = end;
    }
    if (done < begin) {
      segments.push_back({-1, done, begin});
    }
    segments.push_back({token.id, begin, end});
    done = end;
  }
  if (done < text.size()) {
    segments.push_back({-1, done, text.size()});
  }
}

}  // namespace cairn::tokenizer
